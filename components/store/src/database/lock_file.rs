//! The lock beside a database in a file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// A lock that ends with its value, or with the process. What the file says is who has it.
#[derive(Debug)]
pub(crate) struct LockFile(#[expect(dead_code, reason = "it is locked for as long as it is open")] File);

/// Why a lock was not taken.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Somebody has it, as the file says.
    Held(String),
    Failed(io::Error),
}

impl LockFile {
    /// Takes the lock of the database at `path`, which is there, and writes into the file who has it.
    pub(crate) fn take(path: &Path, description: &str) -> Result<Self, Refusal> {
        let mut file = open(&path_beside(path)?)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.take(1000).read_to_string(&mut holder)?;
                return Err(Refusal::Held(holder.trim().to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // Best effort on a full disk: the lock holds whatever the file says.
        let written = file.set_len(0).and_then(|()| file.rewind());
        if let Err(error) = written.and_then(|()| file.write_all(description.as_bytes())) {
            tracing::warn!(%error, "the lock file of the database does not say who has it");
        }
        Ok(Self(file))
    }
}

/// One file for every path that leads to the database.
fn path_beside(database: &Path) -> io::Result<PathBuf> {
    let mut path = database.canonicalize()?.into_os_string();
    path.push(".lock");
    Ok(path.into())
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_names_its_holder_and_ends_with_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("racetrack.db");
        std::fs::write(&database, "").unwrap();
        let linked = folder.path().join("linked.db");
        std::os::unix::fs::symlink(&database, &linked).unwrap();
        let holder = |path: &Path, description| match LockFile::take(path, description) {
            Ok(lock) => Ok(lock),
            Err(Refusal::Held(holder)) => Err(holder),
            Err(Refusal::Failed(error)) => panic!("{error}"),
        };
        let first = holder(&database, "a long description of the first").unwrap();
        assert_eq!(holder(&linked, "second").unwrap_err(), "a long description of the first");
        drop(first);
        let second = holder(&linked, "second").unwrap();
        assert_eq!(holder(&database, "third").unwrap_err(), "second");
        drop(second);
    }
}
