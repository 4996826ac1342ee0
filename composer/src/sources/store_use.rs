//! Who uses the store: builds share it, `gc` has it alone; and when each entry was last used.
//!
//! Declarations of one checkout share its store, and none knows of the others. So an entry that is used gets a stamp, an
//! empty file in `.used/` whose time counts. The entries themselves stay as they are: their files are compared with what
//! was read.

use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use fs_err as fs;

use crate::file_lock;
use crate::shell::Shell;

/// The folder of the stamps, in the store.
pub const STAMPS: &str = ".used";
/// The file that is locked, in the store.
pub const LOCK: &str = ".lock";

/// A younger stamp is not renewed: what counts is days, and a build that changes nothing should write nothing.
const WORTH_A_STAMP: Duration = Duration::from_hours(1);

/// Keeps `gc` away from the store until the file is dropped. Waits for one that is running.
pub fn share(store: &Path, shell: &Shell) -> Result<File> {
    let file = lock_file(store)?;
    file_lock::share_file(&file, &store.join(LOCK), "`cargo xtask gc`", shell)?;
    Ok(file)
}

/// Keeps builds away from the store until the file is dropped; nothing if one is running.
pub fn seize(store: &Path) -> Result<Option<File>> {
    let file = lock_file(store)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", store.join(LOCK).display()))
        }
    }
}

/// Notes that an entry is used now. `entry` is its path in the store.
pub fn mark(store: &Path, entry: &str) -> Result<()> {
    let stamp = stamp_of(store, entry);
    let now = SystemTime::now();
    let found = fs::metadata(&stamp).and_then(|found| found.modified());
    if found.is_ok_and(|time| now.duration_since(time).is_ok_and(|age| age < WORTH_A_STAMP)) {
        return Ok(());
    }
    fs::create_dir_all(store.join(STAMPS))?;
    let file = fs::File::create(&stamp)?;
    file.set_modified(now).with_context(|| format!("cannot set the time of {}", stamp.display()))
}

/// When an entry was last used: the time of its stamp, or else that of the entry itself; nothing if it is gone.
pub fn last_used(store: &Path, entry: &str) -> Result<Option<SystemTime>> {
    let found = fs::metadata(stamp_of(store, entry)).or_else(|_| fs::symlink_metadata(store.join(entry)));
    let time = unless_gone(found)?.map(|metadata| metadata.modified()).transpose();
    time.with_context(|| format!("cannot tell when {entry} was used"))
}

/// What was found; nothing if somebody has removed it since it was listed, which is as if it had never been there.
pub fn unless_gone<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The stamp of an entry. A `/` cannot be in a file name, and `~` is in no path of the store.
pub fn stamp_of(store: &Path, entry: &str) -> PathBuf {
    store.join(STAMPS).join(entry.replace('/', "~"))
}

fn lock_file(store: &Path) -> Result<File> {
    fs::create_dir_all(store)?;
    Ok(fs::File::create(store.join(LOCK))?.into_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_share_the_store_and_keep_others_away() {
        let store = tempfile::tempdir().unwrap();
        let shell = Shell::new(true);
        let first = share(store.path(), &shell).unwrap();
        let second = share(store.path(), &shell).unwrap();
        assert!(seize(store.path()).unwrap().is_none());
        drop((first, second));
        let alone = seize(store.path()).unwrap();
        assert!(alone.is_some() && seize(store.path()).unwrap().is_none());
    }

    #[test]
    fn the_stamp_counts_and_is_not_renewed_at_once() {
        let store = tempfile::tempdir().unwrap();
        let store = store.path();
        fs::create_dir_all(store.join("git/x")).unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_hours(24);
        fs::File::open(store.join("git/x")).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(last_used(store, "git/gone").unwrap(), None);
        assert_eq!(last_used(store, "git/x").unwrap(), Some(long_ago));
        mark(store, "git/x").unwrap();
        let used = last_used(store, "git/x").unwrap().unwrap();
        assert!(used.elapsed().is_ok_and(|age| age < WORTH_A_STAMP));
        mark(store, "git/x").unwrap();
        assert_eq!(last_used(store, "git/x").unwrap(), Some(used));
        fs::File::options()
            .write(true)
            .open(stamp_of(store, "git/x"))
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
        mark(store, "git/x").unwrap();
        assert!(last_used(store, "git/x").unwrap() > Some(long_ago));
    }
}
