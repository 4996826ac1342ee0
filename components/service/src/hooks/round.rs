//! One round of hook calls on a thread of its own, seen from the server.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use racetrack_core::progress::Progress;
use racetrack_core::registry::Outcome;
use racetrack_core::{Hook, Registry};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::Span;

use super::{HookCall, PluginOwned};
use crate::metrics;

/// What a round needs besides the call itself.
#[derive(Clone)]
pub(super) struct RoundContext {
    pub(super) registry: Arc<PluginOwned<Registry>>,
    pub(super) hooks: Handle,
    pub(super) blocked: BlockedThreads,
}

/// The number of threads that are blocked by rounds that were given up.
#[derive(Clone, Debug, Default)]
pub(super) struct BlockedThreads(Arc<AtomicUsize>);

/// A round under way, and what it hands over.
pub(super) struct Round<T> {
    answers: UnboundedReceiver<Answer<T>>,
    place: Place,
    thread: Arc<PluginThread>,
    is_given_up: bool,
}

/// One plugin's part of a round.
pub(super) struct Answer<T> {
    pub(super) outcome: Outcome<T>,
    pub(super) duration: Duration,
}

/// What a round does next.
pub(super) enum Step<T> {
    /// It hands over the answer of the next plugin.
    Answer(Answer<T>),
    /// It ends.
    End,
    /// It has been given up, because the next plugin blocks its thread.
    Blocked,
}

/// Where a round is.
enum Place {
    /// Among several plugins.
    Every(Arc<Progress>),
    /// At its only plugin, once it has begun.
    One(Arc<AtomicBool>),
}

/// A thread for code of plugins: counted as blocked from the time when it is given up until it ends.
pub(super) struct PluginThread {
    has_ended_or_is_given_up: AtomicBool,
    blocked: BlockedThreads,
}

/// Tells that the thread ends, also when it panics.
struct EndOfThread(Arc<PluginThread>);

impl<T: Send + 'static> Round<T> {
    /// Calls a hook on the plugins that implement it, from the one at index `first` of the hook's list on.
    pub(super) fn over_every<E: Send + Sync + 'static>(
        context: RoundContext,
        hook: Hook,
        first: usize,
        event: Arc<E>,
        call: HookCall<E, T>,
    ) -> io::Result<Self> {
        let progress = Arc::new(Progress::default());
        let place = Place::Every(Arc::clone(&progress));
        Self::start(context, place, move |context, answers| {
            let started = Cell::new(Instant::now());
            let event = &*event;
            let timed = |plugin| {
                started.set(Instant::now());
                call(plugin, event)
            };
            let each = |outcome| hand_over(answers, outcome, &started);
            let round = context.registry.call_from(hook, first, &progress, timed, each);
            context.hooks.block_on(round);
        })
    }

    /// Calls a hook on the plugin at `index` of the registry's entries.
    pub(super) fn over_one<E: Send + Sync + 'static>(
        context: RoundContext,
        hook: Hook,
        index: usize,
        event: Arc<E>,
        call: HookCall<E, T>,
    ) -> io::Result<Self> {
        let has_begun = Arc::new(AtomicBool::new(false));
        let place = Place::One(Arc::clone(&has_begun));
        Self::start(context, place, move |context, answers| {
            let event = &*event;
            let entry = &context.registry.entries()[index];
            let started = Cell::new(Instant::now());
            has_begun.store(true, Ordering::Release);
            let round = context.registry.call_one(entry, hook, |plugin| call(plugin, event));
            let result = context.hooks.block_on(round);
            let outcome = Outcome { plugin: index, result };
            hand_over(answers, outcome, &started);
        })
    }

    /// Waits for the next step, and gives the round up when it makes none for as long as `patience`.
    pub(super) async fn step(&mut self, patience: Duration) -> Step<T> {
        while !self.is_given_up {
            match tokio::time::timeout(patience, self.answers.recv()).await {
                Ok(Some(answer)) => return Step::Answer(answer),
                Ok(None) => return Step::End,
                Err(_) if self.place.give_up() => {
                    self.is_given_up = true;
                    self.thread.give_up();
                    // The answer may have come in the very moment of giving up.
                    return self.answers.try_recv().map_or(Step::Blocked, Step::Answer);
                }
                Err(_) => {}
            }
        }
        Step::End
    }

    fn start(
        context: RoundContext,
        place: Place,
        body: impl FnOnce(&RoundContext, &UnboundedSender<Answer<T>>) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, answers) = unbounded_channel();
        let blocked = context.blocked.clone();
        let thread = PluginThread::spawn(blocked, move || {
            body(&context, &sender);
            // Before the plugins: nobody is to wait for the destructor of one that was replaced meanwhile.
            drop(sender);
        })?;
        Ok(Self { answers, place, thread, is_given_up: false })
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

impl Place {
    /// Keeps the round from calling any further plugin; `false` when it has just moved on, or has not begun.
    fn give_up(&self) -> bool {
        match self {
            Self::Every(progress) => progress.current().is_some_and(|index| progress.abandon(index)),
            Self::One(has_begun) => has_begun.load(Ordering::Acquire),
        }
    }
}

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

fn hand_over<T>(answers: &UnboundedSender<Answer<T>>, outcome: Outcome<T>, started: &Cell<Instant>) {
    let duration = started.get().elapsed();
    // Once the round is given up, or the request that asked for it has gone away, nobody listens.
    let _ = answers.send(Answer { outcome, duration });
}
