//! Folders of the cache that are made once and then shared by all builds.
//!
//! Virtual environments hold their own path, so they cannot be made elsewhere and renamed. Instead, an entry is made
//! in its place under a lock that the system releases when its holders die, the tools that write there among them, and
//! counts only once it holds a marker, which is written last. Whatever has no marker is what an interrupted build left
//! behind.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The file that makes an entry count.
const MARKER: &str = ".racetrack-complete";

/// How often a build looks whether another one, which makes the same entry, is done.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// A folder of the cache.
#[derive(Clone, Debug)]
pub(crate) struct CacheEntry {
    /// The folder itself.
    pub(crate) folder: PathBuf,
    lock: PathBuf,
}

/// Why an entry is not to be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError<E: std::error::Error + 'static> {
    /// The cache itself fails.
    #[error("cannot {action} `{}`", .path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    /// The entry could not be made.
    #[error(transparent)]
    Make(E),
}

impl CacheEntry {
    /// The entry of that kind and key.
    pub(crate) fn new(cache: &Path, kind: &str, key: &str) -> Self {
        Self {
            folder: cache.join(kind).join(key),
            lock: cache.join("locks").join(format!("{kind}-{key}.lock")),
        }
    }

    /// Whether the entry has been made, and still has the file `witness`.
    pub(crate) fn is_complete(&self, witness: &Path) -> bool {
        self.folder.join(MARKER).is_file() && self.folder.join(witness).exists()
    }

    /// Makes sure that the entry is there; `make` fills the folder, and is not run when that is not needed. It is given
    /// the lock of the entry, for the tools that it runs: they may outlive this process.
    ///
    /// Returns whether the entry was made by this call. Builds that want the same entry at the same time wait for
    /// the one that makes it.
    pub(crate) async fn ensure<E: std::error::Error + 'static, M: Future<Output = Result<(), E>> + Send>(
        &self,
        witness: &Path,
        log: &(dyn Fn(&str) + Send + Sync),
        make: impl FnOnce(Arc<File>) -> M + Send,
    ) -> Result<bool, CacheError<E>> {
        if self.is_complete(witness) {
            return Ok(false);
        }
        let lock = Arc::new(self.lock(log).await?);
        if self.is_complete(witness) {
            return Ok(false);
        }
        if self.folder.exists() {
            log("removing what an interrupted build left in the cache");
            self.remove().await?;
        }
        std::fs::create_dir_all(&self.folder).map_err(failed("create", &self.folder))?;
        if let Err(error) = make(Arc::clone(&lock)).await {
            // Left for the next build to remove if that fails too: the entry does not count either way.
            if let Err(error) = self.remove::<E>().await {
                log(&format!("cannot clean up after the failed build: {error}"));
            }
            return Err(CacheError::Make(error));
        }
        let marker = self.folder.join(MARKER);
        File::create(&marker).and_then(|file| file.sync_all()).map_err(failed("write", &marker))?;
        Ok(true)
    }

    async fn lock<E: std::error::Error + 'static>(
        &self,
        log: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<File, CacheError<E>> {
        if let Some(parent) = self.lock.parent() {
            std::fs::create_dir_all(parent).map_err(failed("create", parent))?;
        }
        // Readable and empty, as the standard input of tools has to be; written to only because it may have to be made.
        let opened = File::options().create(true).truncate(true).read(true).write(true).open(&self.lock);
        let file = opened.map_err(failed("open", &self.lock))?;
        let mut waits = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => {
                    if !waits {
                        log("waiting for another build that prepares the same");
                        waits = true;
                    }
                    tokio::time::sleep(LOCK_INTERVAL).await;
                }
                Err(TryLockError::Error(source)) => return Err(failed("lock", &self.lock)(source)),
            }
        }
    }

    /// Removes the folder off the threads of the runtime: it may have tens of thousands of files.
    async fn remove<E: std::error::Error + 'static>(&self) -> Result<(), CacheError<E>> {
        let folder = self.folder.clone();
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
        removed.map_err(io::Error::other).flatten().map_err(failed("remove", &self.folder))
    }
}

fn failed<E: std::error::Error + 'static>(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> CacheError<E> {
    let path = path.to_owned();
    move |source| CacheError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Instant;

    use racetrack_core::redaction::Redaction;
    use rustix::process::{Pid, Signal, kill_process};
    use tokio::process::Command;

    use super::*;
    use crate::command;

    struct Cache {
        folder: tempfile::TempDir,
        made: AtomicU32,
    }

    impl Cache {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().expect("a folder"), made: AtomicU32::new(0) }
        }

        fn entry(&self) -> CacheEntry {
            CacheEntry::new(self.folder.path(), "packages", "0123")
        }

        async fn ensure(&self, outcome: Result<(), io::Error>) -> Result<bool, String> {
            let entry = self.entry();
            let make = |_| async {
                tokio::task::yield_now().await;
                std::fs::write(entry.folder.join("file"), "")?;
                self.made.fetch_add(1, Ordering::Relaxed);
                outcome
            };
            entry.ensure(Path::new("file"), &|_| {}, make).await.map_err(|error| error.to_string())
        }
    }

    #[tokio::test]
    async fn an_entry_is_made_once_also_by_builds_at_the_same_time() {
        let cache = Cache::new();
        let both = tokio::join!(cache.ensure(Ok(())), cache.ensure(Ok(())));
        assert_eq!(both, (Ok(true), Ok(false)));
        assert_eq!(cache.ensure(Ok(())).await, Ok(false));
        assert_eq!(cache.made.into_inner(), 1);
    }

    #[tokio::test]
    async fn what_an_interrupted_build_left_is_made_anew() {
        let cache = Cache::new();
        let folder = cache.entry().folder;
        std::fs::create_dir_all(&folder).expect("can be made");
        std::fs::write(folder.join("half"), "").expect("can be written");
        assert_eq!(cache.ensure(Ok(())).await, Ok(true));
        assert!(!folder.join("half").exists());
        std::fs::remove_file(folder.join("file")).expect("is there");
        assert_eq!(cache.ensure(Ok(())).await, Ok(true), "the witness is gone");
    }

    #[tokio::test]
    async fn an_entry_stays_locked_as_long_as_a_tool_lives_that_may_write_there() {
        let cache = Cache::new();
        let entry = cache.entry();
        // Asks for input, of which there is none, and leaves a process of another group behind.
        let script = "cat && exec 3<&0 && { setsid sleep 600 <&3 >/dev/null 2>&1 & } && echo $!";
        let pid = Mutex::new(String::new());
        let on_line = |line: &str| line.clone_into(&mut pid.lock().unwrap());
        let make = |lock: Arc<File>| async move {
            let redaction = Redaction::new("***", []);
            std::fs::write(entry.folder.join("file"), "").expect("can be written");
            command::run(Command::new("sh").args(["-c", script]), &lock, &redaction, &on_line).await
        };
        let entry = cache.entry();
        entry.ensure(Path::new("file"), &|_| {}, make).await.expect("is made");
        let is_locked = || {
            let lock = File::open(&entry.lock).expect("is there");
            matches!(lock.try_lock(), Err(TryLockError::WouldBlock))
        };
        assert!(is_locked(), "the tool lives on");
        let pid = pid.into_inner().unwrap().parse().expect("a number");
        kill_process(Pid::from_raw(pid).expect("a process id"), Signal::KILL).expect("is there");
        let deadline = Instant::now() + Duration::from_secs(10);
        while is_locked() {
            assert!(Instant::now() < deadline, "nobody is left who could write there");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_failure_leaves_nothing() {
        let cache = Cache::new();
        assert_eq!(cache.ensure(Err(io::Error::other("boom"))).await, Err("boom".to_owned()));
        assert!(!cache.entry().folder.exists());
    }
}
