//! Calls the hooks of the plugins so that none of them can stop the server.
//!
//! Each round of calls runs on a thread of its own, and the server only waits for what the round hands over. A hook
//! that waits for ever is ended by its time limit. One that blocks its thread cannot be ended: the round is given up a
//! little after the time limit, its thread is left to itself, and a new round goes on with the next plugin.
//!
//! What hooks await and what plugins spawn runs on a tokio runtime apart from the server's. Time limits are measured by
//! the server's runtime, which no plugin can block.

mod round;
mod target_call;

use std::io;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures_util::future::BoxFuture;
use racetrack_core::failure::{HookFailure, HookFailureCause};
use racetrack_core::plan::ComponentPlan;
use racetrack_core::registration::Registration;
use racetrack_core::registry::{Outcome, PluginEntry};
use racetrack_core::start::StartError;
use racetrack_core::time_limit::{TimeLimit, Timer};
use racetrack_core::{Hook, HookResult, Plugin, PluginError, Registry};
use tokio::runtime::{Handle, Runtime};

use self::round::{Answer, BlockedThreads, Round, RoundContext, Step};
pub use self::target_call::{TargetCall, TargetFailure};
use crate::config::ServiceConfig;
use crate::metrics;
use crate::observability::OneLine;

/// Threads for what plugins await and spawn.
const WORKER_THREADS: usize = 2;

/// Calls one hook of a plugin with an event: `|plugin, event| plugin.run_action(RunAction::new(event))`.
pub type HookCall<E, T> = for<'a> fn(&'a dyn Plugin, &'a E) -> BoxFuture<'a, HookResult<T>>;

/// The plugins of a component, and the threads on which they are called. Clones share both.
#[derive(Clone, Debug)]
pub struct HookRuntime(Arc<Inner>);

/// Why the plugins cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum HookRuntimeError {
    /// The plugins are not the planned ones, or cannot be constructed.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system gives no threads.
    #[error("cannot start the threads of the plugins")]
    Threads(#[source] io::Error),
}

#[derive(Debug)]
struct Inner {
    registry: Arc<Registry>,
    /// Taken when dropped, because only a taken runtime can be dropped from within another one.
    runtime: Option<Runtime>,
    blocked: BlockedThreads,
}

/// Measures time limits on the runtime it was made in.
struct TokioTimer(Handle);

impl HookRuntime {
    /// Constructs the plugins. Must be called on the server's runtime.
    ///
    /// # Errors
    /// [`HookRuntimeError`] when the plugins are not the planned ones or cannot be constructed.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn start(
        plan: &'static ComponentPlan,
        registrations: impl IntoIterator<Item = &'static Registration>,
        config: &ServiceConfig,
    ) -> Result<Self, HookRuntimeError> {
        let limit =
            TimeLimit { duration: config.hook_time_limit, timer: Arc::new(TokioTimer(Handle::current())) };
        let registry = Registry::start_with(plan, registrations, &config.plugins, limit)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .thread_name("hooks")
            .enable_all()
            .build()
            .map_err(HookRuntimeError::Threads)?;
        Ok(Self(Arc::new(Inner {
            registry: Arc::new(registry),
            runtime: Some(runtime),
            blocked: BlockedThreads::default(),
        })))
    }

    /// The plugins.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Calls a hook on every plugin that implements it, in hook order, whatever becomes of the ones before. There is
    /// one outcome per plugin, in that order. Failures have been logged and counted.
    pub async fn call_every<E, T>(&self, hook: Hook, event: Arc<E>, call: HookCall<E, T>) -> Vec<Outcome<T>>
    where
        E: Send + Sync + 'static,
        T: Send + 'static,
    {
        let plugins = self.registry().implementing(hook).len();
        let mut outcomes = Vec::with_capacity(plugins);
        while outcomes.len() < plugins {
            let first = outcomes.len();
            let round = Round::over_every(self.round_context(), hook, first, Arc::clone(&event), call);
            let cause = match round {
                Ok(round) => self.follow(hook, round, &mut outcomes).await,
                Err(error) => Some(no_thread(&error)),
            };
            if let Some(cause) = cause {
                let Outcome { plugin, result } = self.registry().failure_at(hook, outcomes.len(), cause);
                let Err(failure) = result;
                outcomes.push(self.given_up(plugin, failure));
            }
        }
        outcomes
    }

    /// Calls a hook on one plugin, whether it implements the hook or not.
    ///
    /// # Errors
    /// The failure, which has been logged and counted.
    ///
    /// # Panics
    /// When the plugin is not one of [these](Self::registry).
    pub async fn call_one<E, T>(
        &self,
        entry: &PluginEntry,
        hook: Hook,
        event: Arc<E>,
        call: HookCall<E, T>,
    ) -> Result<T, HookFailure>
    where
        E: Send + Sync + 'static,
        T: Send + 'static,
    {
        let mut entries = self.registry().entries().iter();
        let index = entries.position(|own| std::ptr::eq(own, entry));
        let index = index.expect("the plugin is one of this runtime's registry");
        let mut outcomes = Vec::with_capacity(1);
        let cause = match Round::over_one(self.round_context(), hook, index, event, call) {
            Ok(round) => self.follow(hook, round, &mut outcomes).await,
            Err(error) => Some(no_thread(&error)),
        };
        if let Some(cause) = cause {
            outcomes.push(self.given_up(index, entry.failure(hook, cause)));
        }
        let outcome = outcomes.pop().expect("a round without a cause of failure has an outcome");
        outcome.result
    }

    /// Drops the plugins, if nobody else holds them, and waits for that no longer than `patience`.
    pub(crate) fn close(self, patience: Duration) {
        let (done, is_done) = mpsc::channel();
        let drop_all = move || {
            drop(self);
            // When the time is up, nobody listens.
            let _ = done.send(());
        };
        let thread = std::thread::Builder::new().name("hook".to_owned()).spawn(drop_all);
        let is_late = || is_done.recv_timeout(patience) == Err(mpsc::RecvTimeoutError::Timeout);
        if thread.is_ok() && is_late() {
            tracing::warn!("a plugin did not let itself be dropped in time");
        }
    }

    /// Takes what the round hands over. Gives the cause of failure of the next plugin, if the round ended before it.
    async fn follow<T: Send + 'static>(
        &self,
        hook: Hook,
        mut round: Round<T>,
        outcomes: &mut Vec<Outcome<T>>,
    ) -> Option<HookFailureCause> {
        let before = outcomes.len();
        loop {
            match round.step(self.patience()).await {
                Step::Answer(Answer { outcome, duration }) => {
                    self.record(hook, outcome.plugin, outcome.result.as_ref().err(), duration);
                    outcomes.push(outcome);
                }
                Step::End if outcomes.len() > before => return None,
                Step::End => {
                    let message = "the thread of the hook ended".to_owned();
                    return Some(HookFailureCause::Panic { message });
                }
                Step::Blocked => {
                    let limit = self.registry().time_limit().duration;
                    return Some(HookFailureCause::Blocked { limit });
                }
            }
        }
    }

    /// How long a round may stand still.
    fn patience(&self) -> Duration {
        target_call::patience(self.registry().time_limit().duration)
    }

    fn given_up<T>(&self, plugin: usize, failure: HookFailure) -> Outcome<T> {
        self.record(failure.hook, plugin, Some(&failure), self.patience());
        let result = Err(failure);
        Outcome { plugin, result }
    }

    /// Counts a call, and logs its failure.
    fn record(&self, hook: Hook, plugin: usize, failure: Option<&HookFailure>, duration: Duration) {
        let manifest = &self.registry().entries()[plugin].manifest;
        let (name, version) = (manifest.name.as_str(), manifest.version.as_str());
        metrics::hook_called(hook, (name, version), failure, duration);
        let Some(failure) = failure else { return };
        let text = failure.one_line();
        let text = OneLine(&text);
        if let HookFailureCause::Blocked { .. } = failure.cause {
            let blocked = self.0.blocked.count();
            tracing::error!(
                hook.name = hook.name(),
                plugin.name = name,
                plugin.version = version,
                "{text}; threads blocked in this way: {blocked}"
            );
        } else {
            tracing::warn!(hook.name = hook.name(), plugin.name = name, plugin.version = version, "{text}");
        }
    }

    fn round_context(&self) -> RoundContext {
        let runtime = self.0.runtime.as_ref();
        RoundContext {
            registry: Arc::clone(&self.0.registry),
            hooks: runtime.expect("is taken only when dropped").handle().clone(),
            blocked: self.0.blocked.clone(),
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Timer for TokioTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let _entered = self.0.enter();
        Box::pin(tokio::time::sleep(duration))
    }
}

fn no_thread(error: &io::Error) -> HookFailureCause {
    HookFailureCause::from(PluginError::from(format!("the system gives no thread to call it on: {error}")))
}
