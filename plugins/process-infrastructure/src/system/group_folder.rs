//! A control group as a folder: its files, the groups below it, and its removal.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often, and how long each time, it is waited for a group to become free for removal.
const ATTEMPTS: u32 = 250;
const PAUSE: Duration = Duration::from_millis(20);

/// Removes a group that has no process any more, and those below it. That it is gone is no error.
pub(crate) async fn remove(group: &Path) -> io::Result<()> {
    let mut attempts = 0;
    loop {
        match remove_tree(group) {
            // A process that has just ended may still be counted.
            Err(error) if error.kind() == ErrorKind::ResourceBusy && attempts < ATTEMPTS => attempts += 1,
            result => return result,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Removes a group and those below it, if they have no process.
pub(crate) fn remove_tree(group: &Path) -> io::Result<()> {
    for subgroup in subgroups(group) {
        remove_tree(&subgroup)?;
    }
    match fs::remove_dir(group) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes to a file of a group, which is there or is not.
pub(super) fn write(file: &Path, value: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(file)?.write_all(value.as_bytes())
}

/// The groups right below a group: those that a job has made itself.
pub(super) fn subgroups(group: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(group) else { return Vec::new() };
    let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}
