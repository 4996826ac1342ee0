//! Locks between builds, of this and of other processes; the system releases those of a process that dies.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

/// How often a build looks whether the one that it waits for is done.
const INTERVAL: Duration = Duration::from_millis(50);

/// Waits for the lock; it is held until the file is dropped.
pub(crate) async fn acquire(path: &Path, log: &(dyn Fn(&str) + Send + Sync)) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    let mut waits = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if waits => {}
            Err(TryLockError::WouldBlock) => {
                log("waiting for another build of the same job");
                waits = true;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn the_second_one_waits_for_the_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("locks/job.lock");
        let log = Mutex::new(Vec::new());
        let on_line = |line: &str| log.lock().unwrap().push(line.to_owned());
        let first = acquire(&path, &on_line).await.expect("can be locked");
        let both = tokio::join!(acquire(&path, &on_line), async { drop(first) });
        both.0.expect("can be locked");
        assert_eq!(log.into_inner().unwrap(), ["waiting for another build of the same job"]);
    }
}
