//! Waiting for a lock on a file, with a word about what is waited for.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use fs_err as fs;

use crate::shell::Shell;

/// Creates the file at `path`, if it is not there, and locks it until it is dropped. Waits for `holder`, who has the lock.
pub fn lock(path: &Path, holder: &str, shell: &Shell) -> Result<File> {
    let file = fs::File::options().create(true).append(true).open(path)?.into_file();
    lock_file(&file, path, holder, shell)?;
    Ok(file)
}

/// Locks a file that is open, and that is at `path`.
pub fn lock_file(file: &File, path: &Path, holder: &str, shell: &Shell) -> Result<()> {
    wait(file.try_lock(), || file.lock(), path, holder, shell)
}

/// The same, together with others who share it.
pub fn share_file(file: &File, path: &Path, holder: &str, shell: &Shell) -> Result<()> {
    wait(file.try_lock_shared(), || file.lock_shared(), path, holder, shell)
}

fn wait(
    attempt: Result<(), TryLockError>,
    lock: impl FnOnce() -> io::Result<()>,
    path: &Path,
    holder: &str,
    shell: &Shell,
) -> Result<()> {
    let failed = || format!("cannot lock {}", path.display());
    match attempt {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            shell.status("Blocking", format_args!("waiting for {holder}"));
            lock().with_context(failed)
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(failed),
    }
}
