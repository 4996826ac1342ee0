//! The removal of folders.
//!
//! What others may be using is there as a whole or not at all: it is renamed first, and what an interrupted removal left is
//! found again by its name.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use racetrack_core::error::chain;
use serde::Serialize;

use super::tree;

/// What the names of folders begin with that are being removed.
const PREFIX: &str = ".removed-";

/// How often a folder is removed before it is left: processes that are being killed may still write into it.
const ATTEMPTS: u32 = 200;

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RemovalCounts {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    /// What could not be removed now, and is tried again the next time.
    pub(crate) failures: u64,
}

/// Takes a folder out of sight; [`finish`] removes it. `above` is on the same file system.
pub(crate) fn set_aside(folder: &Path, above: &Path) -> io::Result<()> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    fs_err::rename(folder, above.join(format!("{PREFIX}{}-{number}", std::process::id())))
}

/// Removes what was set aside in the folder, by this process or by a former one that did not come to it.
pub(crate) fn finish(folder: &Path) -> io::Result<RemovalCounts> {
    let mut removed = RemovalCounts::default();
    for path in waiting(folder)? {
        let bytes = tree::size(&path);
        match bytes.and_then(|bytes| remove(&path).map(|()| bytes)) {
            Ok(bytes) => {
                removed.count += 1;
                removed.bytes += bytes;
            }
            Err(error) => removed.fail(&format!("cannot remove {}", path.display()), &error),
        }
    }
    Ok(removed)
}

/// Removes the folders directly in `folder` whose names are such.
pub(crate) fn remove_leftovers(folder: &Path, is_leftover: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&is_leftover) && entry.file_type()?.is_dir() {
            tracing::info!("removing {}, which an interrupted build left", entry.path().display());
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a folder, if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let mut attempt = 1;
    loop {
        match fs_err::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(_) if attempt < ATTEMPTS => {
                attempt += 1;
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

impl RemovalCounts {
    /// Notes that something is not removed.
    pub(crate) fn fail(&mut self, what: &str, error: &dyn std::error::Error) {
        self.failures += 1;
        tracing::warn!(error = chain(error), "{what}; it is tried again");
    }
}

fn waiting(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_aside_is_removed_also_by_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a", "b"] {
            std::fs::create_dir_all(folder.path().join(name).join("below")).unwrap();
            std::fs::write(folder.path().join(name).join("below/file"), "12345").unwrap();
        }
        set_aside(&folder.path().join("a"), folder.path()).unwrap();
        std::fs::create_dir(folder.path().join(".removed-1-1")).unwrap();
        assert!(!folder.path().join("a").exists());
        assert_eq!(finish(folder.path()).unwrap(), RemovalCounts { count: 2, bytes: 5, failures: 0 });
        assert_eq!(finish(folder.path()).unwrap(), RemovalCounts::default());
        assert!(folder.path().join("b/below/file").exists());
        assert!(set_aside(&folder.path().join("c"), folder.path()).is_err());
    }
}
