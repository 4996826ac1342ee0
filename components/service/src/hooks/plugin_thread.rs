//! Threads for code of plugins, which may block them for ever.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use racetrack_core::PluginError;
use racetrack_core::host::failure::HookFailureCause;
use tracing::Span;

use crate::metrics;

/// A thread for code of plugins: counted as blocked from the time when it is given up until it ends.
pub(super) struct PluginThread {
    has_ended_or_is_given_up: AtomicBool,
    blocked: BlockedThreads,
}

/// Reports that the thread ends, also when it panics.
struct EndOfThread(Arc<PluginThread>);

/// The number of threads that are blocked by rounds that were given up.
#[derive(Clone, Debug, Default)]
pub(super) struct BlockedThreads(Arc<AtomicUsize>);

impl PluginThread {
    /// Starts a thread that runs `body`, within the caller's span.
    pub(super) fn spawn(
        blocked: BlockedThreads,
        body: impl FnOnce() + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let has_ended_or_is_given_up = AtomicBool::new(false);
        let plugin_thread = Arc::new(Self { has_ended_or_is_given_up, blocked });
        let end = EndOfThread(Arc::clone(&plugin_thread));
        let span = Span::current();
        thread::Builder::new().name("hook".to_owned()).spawn(move || {
            let _end = end;
            span.in_scope(body);
        })?;
        Ok(plugin_thread)
    }

    pub(super) fn give_up(&self) {
        self.blocked.add();
        if self.has_ended_or_is_given_up.swap(true, Ordering::AcqRel) {
            self.blocked.remove();
        }
    }
}

impl Drop for EndOfThread {
    fn drop(&mut self) {
        if self.0.has_ended_or_is_given_up.swap(true, Ordering::AcqRel) {
            self.0.blocked.remove();
        }
    }
}

impl BlockedThreads {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self) {
        metrics::hook_threads_blocked(self.0.fetch_add(1, Ordering::Relaxed) + 1);
    }

    fn remove(&self) {
        metrics::hook_threads_blocked(self.0.fetch_sub(1, Ordering::Relaxed) - 1);
    }
}

/// How long to wait for an answer: somewhat longer than the limit, which ends the calls that only wait.
pub(super) fn patience(limit: Duration) -> Duration {
    limit + (limit / 10).clamp(Duration::from_millis(20), Duration::from_secs(1))
}

/// Why nothing was called where the system gives no thread.
pub(super) fn no_thread(error: &io::Error) -> HookFailureCause {
    HookFailureCause::from(PluginError::from(format!("the system gives no thread to call it on: {error}")))
}
