//! One round of hook calls on a thread of its own, seen from the server.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use racetrack_core::host::progress::Progress;
use racetrack_core::host::registry::Outcome;
use racetrack_core::{Hook, HookResult, Plugin, Registry};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::plugin_owned::PluginOwned;
use super::plugin_thread::{BlockedThreads, PluginThread};

/// Calls one hook of a plugin with an event: `|plugin, event| plugin.run_action(RunAction::new(event))`.
pub type HookCall<E, T> = for<'a> fn(&'a dyn Plugin, &'a E) -> BoxFuture<'a, HookResult<T>>;

/// What a round needs besides the call itself.
#[derive(Clone)]
pub(super) struct RoundContext {
    pub(super) registry: Arc<PluginOwned<Registry>>,
    pub(super) hooks: Handle,
    pub(super) blocked: BlockedThreads,
}

/// A round under way, and what it hands over.
pub(super) struct Round<T> {
    outcomes: UnboundedReceiver<HookOutcome<T>>,
    place: Place,
    thread: Arc<PluginThread>,
    is_given_up: bool,
}

/// One plugin's part of a round.
pub(super) struct HookOutcome<T> {
    pub(super) outcome: Outcome<T>,
    pub(super) duration: Duration,
}

/// What a round does next.
pub(super) enum Step<T> {
    /// It hands over the outcome of the next plugin.
    Outcome(HookOutcome<T>),
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
        Self::start(context, place, move |context, outcomes| {
            let started = Cell::new(Instant::now());
            let event = &*event;
            let timed = |plugin| {
                started.set(Instant::now());
                call(plugin, event)
            };
            let each = |outcome| hand_over(outcomes, outcome, &started);
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
        Self::start(context, place, move |context, outcomes| {
            let event = &*event;
            let entry = &context.registry.entries()[index];
            let started = Cell::new(Instant::now());
            has_begun.store(true, Ordering::Release);
            let round = context.registry.call_one(entry, hook, |plugin| call(plugin, event));
            let result = context.hooks.block_on(round);
            let outcome = Outcome { plugin: index, result };
            hand_over(outcomes, outcome, &started);
        })
    }

    /// Waits for the next step, and gives the round up when it makes none for as long as `patience`.
    pub(super) async fn step(&mut self, patience: Duration) -> Step<T> {
        while !self.is_given_up {
            match tokio::time::timeout(patience, self.outcomes.recv()).await {
                Ok(Some(outcome)) => return Step::Outcome(outcome),
                Ok(None) => return Step::End,
                Err(_) if self.place.give_up() => {
                    self.is_given_up = true;
                    self.thread.give_up();
                    // The outcome may have come in the very moment of giving up.
                    return self.outcomes.try_recv().map_or(Step::Blocked, Step::Outcome);
                }
                Err(_) => {}
            }
        }
        Step::End
    }

    fn start(
        context: RoundContext,
        place: Place,
        body: impl FnOnce(&RoundContext, &UnboundedSender<HookOutcome<T>>) + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, outcomes) = unbounded_channel();
        let blocked = context.blocked.clone();
        let thread = PluginThread::spawn(blocked, move || {
            body(&context, &sender);
            // Before the plugins: nobody is to wait for the destructor of one that was replaced meanwhile.
            drop(sender);
        })?;
        Ok(Self { outcomes, place, thread, is_given_up: false })
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

fn hand_over<T>(outcomes: &UnboundedSender<HookOutcome<T>>, outcome: Outcome<T>, started: &Cell<Instant>) {
    let duration = started.get().elapsed();
    // Once the round is given up, or the request that asked for it has gone away, nobody listens.
    let _ = outcomes.send(HookOutcome { outcome, duration });
}
