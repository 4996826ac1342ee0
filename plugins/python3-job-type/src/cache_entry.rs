//! Folders of the cache that are made once and then shared by all builds.
//!
//! Virtual environments hold their own path, so they cannot be made elsewhere and renamed. Instead, an entry is made
//! in its place under a lock that the system releases when its holders die, the tools that write there among them, and
//! counts only once it holds a marker, which is written last. Whatever has no marker is what an interrupted build left
//! behind.
//!
//! Jobs run from what lies here, as another user perhaps, so everybody may read entries whatever the umask. A complete
//! entry is never changed. An entry that is made anew gets another folder, the next *generation*, and a file that is
//! replaced as a whole says which of them is the current one. Image-builder removes entries that no bundle needs: it goes
//! by the marker, whose time is when the entry was last used, and by the mark of what is superseded.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use racetrack_core::job_bundle::{CACHE_ENTRY_FILE, SUPERSEDED_ENTRY_FILE};

use crate::shared_folder;

/// How often a build looks whether another one, which makes the same entry, is done.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

/// An entry of the cache.
#[derive(Clone, Debug)]
pub(crate) struct CacheEntry {
    /// The folder with all generations of all entries of that kind.
    kind: PathBuf,
    key: String,
    /// The file that holds the name of the current generation; the first one needs none.
    current: PathBuf,
    lock: PathBuf,
}

/// What becomes of an entry that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// It is used.
    Yes,
    /// It is left to those who use it, and the next generation is made.
    No,
}

/// An entry that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadyEntry {
    pub(crate) folder: PathBuf,
    /// Whether this call has made it.
    pub(crate) is_new: bool,
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
            kind: cache.join(kind),
            key: key.to_owned(),
            current: cache.join("current").join(format!("{kind}-{key}")),
            lock: cache.join("locks").join(format!("{kind}-{key}.lock")),
        }
    }

    /// Makes sure that the entry is there; `make` fills the folder that it is given, and is not run when that is not needed.
    /// It is also given the lock of the entry, for the tools that it runs: they may outlive this process.
    ///
    /// An entry is there when it has been made and still has the file `witness`. Builds that want the same entry at the
    /// same time wait for the one that makes it.
    pub(crate) async fn ensure<E: std::error::Error + 'static, M: Future<Output = Result<(), E>> + Send>(
        &self,
        witness: &Path,
        reuse: Reuse,
        log: &(dyn Fn(&str) + Send + Sync),
        make: impl FnOnce(PathBuf, Arc<File>) -> M + Send,
    ) -> Result<ReadyEntry, CacheError<E>> {
        let ready = |generation| {
            let folder = self.folder(generation);
            let is_usable = reuse == Reuse::Yes && is_complete(&folder, witness);
            is_usable.then_some(ReadyEntry { folder, is_new: false })
        };
        if let Some(ready) = ready(self.generation()?) {
            return open(ready, log).await;
        }
        let lock = Arc::new(self.lock(log).await?);
        let generation = self.generation()?;
        if let Some(ready) = ready(generation) {
            return open(ready, log).await;
        }
        let is_free = |generation: &u64| !is_complete(&self.folder(*generation), witness);
        let next = (generation..).find(is_free).expect("there are more numbers than folders");
        let folder = self.folder(next);
        if folder.exists() {
            log("removing what an interrupted build left in the cache");
            remove(&folder).await?;
        }
        shared_folder::make(&folder).map_err(failed("create", &folder))?;
        if let Err(error) = make(folder.clone(), Arc::clone(&lock)).await {
            // Left for the next build to remove if that fails too: the entry does not count either way.
            if let Err(error) = remove::<E>(&folder).await {
                log(&format!("cannot clean up after the failed build: {error}"));
            }
            return Err(CacheError::Make(error));
        }
        open_to_all(&folder).await?;
        let marker = folder.join(CACHE_ENTRY_FILE);
        shared_folder::create_file(&marker)
            .and_then(|file| file.sync_all())
            .map_err(failed("write", &marker))?;
        if next != generation {
            self.set_generation(next).map_err(failed("write", &self.current))?;
            self.note_superseded(generation, log);
        }
        Ok(ReadyEntry { folder, is_new: true })
    }

    fn folder(&self, generation: u64) -> PathBuf {
        let key = &self.key;
        self.kind.join(if generation == 0 { key.clone() } else { format!("{key}-{generation}") })
    }

    /// The current generation.
    fn generation<E: std::error::Error + 'static>(&self) -> Result<u64, CacheError<E>> {
        let text = match std::fs::read_to_string(&self.current) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            text => text.map_err(failed("read", &self.current))?,
        };
        text.trim().parse().map_err(io::Error::other).map_err(failed("read", &self.current))
    }

    /// Makes a generation the current one, at once or not at all. Only the holder of the lock does so.
    fn set_generation(&self, generation: u64) -> io::Result<()> {
        let temporary = self.current.with_added_extension("new");
        shared_folder::make(self.current.parent().expect("the file is in a folder"))?;
        let mut file = shared_folder::create_file(&temporary)?;
        writeln!(file, "{generation}")?;
        file.sync_all()?;
        std::fs::rename(temporary, &self.current)
    }

    /// Has the former generation removed when no bundle needs it any more. Without that it stays as long as one that is used.
    fn note_superseded(&self, generation: u64, log: &(dyn Fn(&str) + Send + Sync)) {
        let folder = self.folder(generation);
        if !folder.is_dir() {
            return;
        }
        if let Err(error) = shared_folder::create_file(&folder.join(SUPERSEDED_ENTRY_FILE)) {
            log(&format!("cannot note that `{}` is superseded: {error}", folder.display()));
        }
    }

    async fn lock<E: std::error::Error + 'static>(
        &self,
        log: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<File, CacheError<E>> {
        if let Some(parent) = self.lock.parent() {
            shared_folder::make(parent).map_err(failed("create", parent))?;
        }
        // Readable and empty, as the standard input of tools has to be; written to only because it may have to be made.
        // Whoever may open it may hold it for ever.
        let mut options = File::options();
        let opened = options.create(true).truncate(true).read(true).write(true).mode(0o600).open(&self.lock);
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
}

/// Whether the folder is an entry that has been made, and still has the file `witness`.
fn is_complete(folder: &Path, witness: &Path) -> bool {
    folder.join(CACHE_ENTRY_FILE).is_file() && folder.join(witness).exists()
}

/// Notes that an entry that is there is used, and opens it if it was made when only its owner could read what was made.
async fn open<E: std::error::Error + 'static>(
    ready: ReadyEntry,
    log: &(dyn Fn(&str) + Send + Sync),
) -> Result<ReadyEntry, CacheError<E>> {
    let marker = File::open(ready.folder.join(CACHE_ENTRY_FILE));
    if let Err(error) = marker.and_then(|file| file.set_modified(SystemTime::now())) {
        log(&format!("cannot note that `{}` is used: {error}", ready.folder.display()));
    }
    if !shared_folder::is_open(&ready.folder) {
        open_to_all(&ready.folder).await?;
    }
    Ok(ready)
}

/// Off the threads of the runtime: the folder may have tens of thousands of files.
async fn open_to_all<E: std::error::Error + 'static>(folder: &Path) -> Result<(), CacheError<E>> {
    let owned = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || shared_folder::open_to_all(&owned)).await;
    opened.map_err(io::Error::other).flatten().map_err(failed("let everybody read", folder))
}

/// Removes the folder off the threads of the runtime: it may have tens of thousands of files.
async fn remove<E: std::error::Error + 'static>(folder: &Path) -> Result<(), CacheError<E>> {
    let owned = folder.to_owned();
    let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(owned)).await;
    removed.map_err(io::Error::other).flatten().map_err(failed("remove", folder))
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
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Instant;

    use racetrack_core::redaction::Redaction;
    use racetrack_core::tool_launcher::ToolLauncher;
    use rustix::process::{Pid, Signal, kill_process};
    use tokio::process::Command;

    use super::*;
    use crate::command::{self, Tool};

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
            self.ready(Reuse::Yes, outcome).await.map(|ready| ready.is_new)
        }

        async fn ready(&self, reuse: Reuse, outcome: Result<(), io::Error>) -> Result<ReadyEntry, String> {
            let make = |folder: PathBuf, _| async move {
                tokio::task::yield_now().await;
                std::fs::write(folder.join("file"), "")?;
                self.made.fetch_add(1, Ordering::Relaxed);
                outcome
            };
            let ready = self.entry().ensure(Path::new("file"), reuse, &|_| {}, make).await;
            ready.map_err(|error| error.to_string())
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
        let folder = cache.entry().folder(0);
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
        // Asks for input, of which there is none, and leaves a process of another group behind.
        let script = "cat && exec 3<&0 && { setsid sleep 600 <&3 >/dev/null 2>&1 & } && echo $!";
        let pid = Mutex::new(String::new());
        let on_line = |line: &str| line.clone_into(&mut pid.lock().unwrap());
        let make = |folder: PathBuf, lock: Arc<File>| async move {
            let redaction = Redaction::new("***", []);
            std::fs::write(folder.join("file"), "").expect("can be written");
            let launcher = ToolLauncher::direct();
            let mut tool = Tool::new(&launcher, "sh");
            tool.command.args(["-c", script]);
            command::run(tool, &lock, &redaction, &on_line).await
        };
        let entry = cache.entry();
        entry.ensure(Path::new("file"), Reuse::Yes, &|_| {}, make).await.expect("is made");
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
    async fn an_entry_that_is_made_anew_leaves_the_former_one_to_those_who_use_it() {
        let cache = Cache::new();
        let first = cache.ready(Reuse::No, Ok(())).await.expect("is made");
        assert_eq!(first, ReadyEntry { folder: cache.entry().folder(0), is_new: true });
        let failed = cache.ready(Reuse::No, Err(io::Error::other("boom"))).await;
        assert_eq!(failed, Err("boom".to_owned()));
        assert_eq!(cache.ensure(Ok(())).await, Ok(false), "the one that is there stays current");

        let second = cache.ready(Reuse::No, Ok(())).await.expect("is made");
        assert!(second.is_new && second.folder != first.folder);
        assert!(first.folder.join("file").exists());
        assert!(first.folder.join(SUPERSEDED_ENTRY_FILE).exists());
        assert!(!second.folder.join(SUPERSEDED_ENTRY_FILE).exists());
        let marker = second.folder.join(CACHE_ENTRY_FILE);
        let file = File::open(&marker).and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH));
        file.expect("is ours");
        let used = cache.ready(Reuse::Yes, Ok(())).await;
        assert_eq!(used, Ok(ReadyEntry { folder: second.folder.clone(), is_new: false }));
        let last_used = fs::metadata(&marker).and_then(|metadata| metadata.modified()).expect("is there");
        assert!(last_used > SystemTime::UNIX_EPOCH, "its use is noted");

        // Somebody has lost the file: a generation that may be in use is not made over.
        std::fs::remove_file(&cache.entry().current).expect("is there");
        let third = cache.ready(Reuse::No, Ok(())).await.expect("is made");
        assert!(second.folder != third.folder && second.folder.join("file").exists());
        let both = tokio::join!(cache.ready(Reuse::No, Ok(())), cache.ready(Reuse::No, Ok(())));
        assert_ne!(both.0.expect("is made").folder, both.1.expect("is made").folder);
    }

    #[tokio::test]
    async fn everybody_may_read_an_entry_and_nobody_else_may_change_it() {
        let cache = Cache::new();
        let mode = |path: &Path| path.metadata().expect("is there").permissions().mode() & 0o777;
        let ready = cache.ready(Reuse::No, Ok(())).await.expect("is made");
        let kind = ready.folder.parent().expect("is in a folder");
        assert_eq!(
            [mode(kind), mode(&ready.folder), mode(&ready.folder.join("file"))],
            [0o755, 0o755, 0o644]
        );
        // As former versions left it.
        fs::set_permissions(ready.folder.join("file"), Permissions::from_mode(0o600)).expect("is ours");
        fs::set_permissions(&ready.folder, Permissions::from_mode(0o700)).expect("is ours");
        cache.ready(Reuse::Yes, Ok(())).await.expect("is there");
        assert_eq!([mode(&ready.folder), mode(&ready.folder.join("file"))], [0o755, 0o644]);
    }

    #[tokio::test]
    async fn the_umask_does_not_matter() {
        for umask in ["000", "077", "177"] {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!(r#"umask {umask}; exec "$0" --exact "$1""#)]);
            shell.arg(std::env::current_exe().expect("is a file"));
            shell.arg("cache_entry::tests::everybody_may_read_an_entry_and_nobody_else_may_change_it");
            let output = shell.output().await.expect("can be started");
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && text.contains("1 passed"), "{umask}: {text}");
        }
    }

    #[tokio::test]
    async fn a_failure_leaves_nothing() {
        let cache = Cache::new();
        assert_eq!(cache.ensure(Err(io::Error::other("boom"))).await, Err("boom".to_owned()));
        assert!(!cache.entry().folder(0).exists());
    }
}
