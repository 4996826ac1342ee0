//! Tells when log files are written to, by inotify: a burst is answered within milliseconds, and quiet jobs cost nothing.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::inotify;
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::system::process;

/// How long writes are gathered before they are told of: a job that writes all the time must not take lifecycle's.
const GATHERING: Duration = Duration::from_millis(5);

/// The watched log files of one target. They share one descriptor, of which a user may have few.
#[derive(Debug, Default)]
pub(crate) struct LogWatch(Mutex<Option<Watcher>>);

/// A log file that is watched, until this is dropped.
#[derive(Debug)]
pub(crate) struct WatchedLog {
    shared: Arc<Shared>,
    number: i32,
    written: Arc<Notify>,
}

#[derive(Debug)]
struct Watcher {
    shared: Arc<Shared>,
    dispatching: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    inotify: AsyncFd<OwnedFd>,
    written: Mutex<HashMap<i32, Arc<Notify>>>,
}

impl LogWatch {
    /// Watches a file that is there; `None` where the system allows no more of that.
    pub(crate) fn watch(&self, path: &Path) -> Option<WatchedLog> {
        let mut watcher = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if watcher.as_ref().is_none_or(|watcher| watcher.dispatching.is_finished()) {
            *watcher = Watcher::start();
        }
        let shared = Arc::clone(&watcher.as_ref()?.shared);
        drop(watcher);
        let mut all = shared.written();
        let number = inotify::add_watch(&shared.inotify, path, inotify::WatchFlags::MODIFY);
        let number = number.inspect_err(|error| {
            tracing::debug!(path = %path.display(), %error, "a log cannot be watched and is looked at each second");
        });
        let number = number.ok()?;
        let written = Arc::clone(all.entry(number).or_default());
        drop(all);
        Some(WatchedLog { shared, number, written })
    }
}

impl WatchedLog {
    /// Waits until something was written to the file since this was last asked.
    pub(crate) async fn written(&self) {
        self.written.notified().await;
    }
}

impl Watcher {
    fn start() -> Option<Self> {
        let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
        let inotify = inotify::init(flags).inspect_err(|error| {
            tracing::debug!(%error, "logs cannot be watched and are looked at each second");
        });
        let inotify = process::readable(inotify.ok()?)?;
        let shared = Arc::new(Shared { inotify, written: Mutex::default() });
        let dispatching = tokio::spawn(dispatch(Arc::clone(&shared))).abort_handle();
        Some(Self { shared, dispatching })
    }
}

impl Shared {
    fn written(&self) -> MutexGuard<'_, HashMap<i32, Arc<Notify>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notifies whoever waits for the files that were written to.
    fn notify(&self) -> Result<(), Errno> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.inotify, &mut buffer);
        loop {
            let event = match events.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error),
            };
            if event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW) {
                self.written().values().for_each(|written| written.notify_one());
            } else if let Some(written) = self.written().get(&event.wd()) {
                written.notify_one();
            }
        }
    }
}

async fn dispatch(shared: Arc<Shared>) {
    loop {
        let ready = match shared.inotify.readable().await {
            Ok(mut ready) => {
                ready.clear_ready();
                shared.notify().map_err(Into::into)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = ready {
            tracing::warn!(%error, "logs cannot be watched any more and are looked at each second");
            return;
        }
        tokio::time::sleep(GATHERING).await;
    }
}

impl Drop for WatchedLog {
    fn drop(&mut self) {
        self.shared.written().remove(&self.number);
        // It fails when the file is gone, and its watch with it.
        let _ = inotify::remove_watch(&self.shared.inotify, self.number);
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.dispatching.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn who_waits_for_a_log_hears_of_writes_to_it_and_to_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let write = |name: &str| {
            let mut file = OpenOptions::new().create(true).append(true).open(path(name)).unwrap();
            file.write_all(b"line\n").unwrap();
        };
        write("one");
        write("other");
        let watch = LogWatch::default();
        assert!(watch.watch(&path("none")).is_none());
        let (one, other) = (watch.watch(&path("one")).unwrap(), watch.watch(&path("other")).unwrap());
        write("one");
        one.written().await;
        let mut quiet = std::pin::pin!(other.written());
        assert!(futures_util::poll!(&mut quiet).is_pending());
        write("other");
        quiet.await;
        drop(one);
        write("one");
        let again = watch.watch(&path("one")).unwrap();
        write("one");
        again.written().await;
    }
}
