//! The plugins of a component, and the threads on which their hooks are called.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, mpsc};
use std::time::Duration;
use std::{fmt, io};

use futures_util::future::BoxFuture;
use racetrack_core::host::failure::{HookFailure, HookFailureCause};
use racetrack_core::host::registry::{Outcome, PluginEntry};
use racetrack_core::host::start::StartError;
use racetrack_core::host::time_limit::{TimeLimit, Timer};
use racetrack_core::plan::ComponentPlan;
use racetrack_core::registration::Registration;
use racetrack_core::{Hook, PluginManifest, Registry};
use serde_yaml::Value;
use tokio::runtime::{Handle, Runtime};

use super::plugin_owned::PluginOwned;
use super::plugin_thread::{BlockedThreads, no_thread, patience};
use super::round::{HookCall, HookOutcome, Round, RoundContext, Step};
use crate::config::ServiceConfig;
use crate::kept_config::{BadKeptConfig, KeptConfig};
use crate::metrics;
use crate::observability::OneLine;

/// Threads for what plugins await and spawn.
const WORKER_THREADS: usize = 2;

/// The plugins of a component, and the threads on which they are called. Clones share both.
#[derive(Clone, Debug)]
pub struct HookRuntime(pub(super) Arc<Inner>);

/// Why the plugins cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum HookRuntimeError {
    /// The plugins are not the planned ones, or cannot be constructed.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A plugin cannot be constructed with the configuration that was kept for it.
    #[error(transparent)]
    Kept(#[from] BadKeptConfig),
    /// The system gives no threads.
    #[error("cannot start the threads of the plugins")]
    Threads(#[source] io::Error),
}

pub(super) struct Inner {
    /// Replaced as a whole when a plugin gets another configuration.
    pub(super) registry: RwLock<Arc<PluginOwned<Registry>>>,
    pub(super) common: Arc<Common>,
}

/// What the plugins share with those that may take their place.
pub(super) struct Common {
    /// What the configuration file gives to plugins.
    sections: BTreeMap<String, Value>,
    /// Taken when dropped, because only a taken runtime can be dropped from within another one.
    runtime: Option<Runtime>,
    pub(super) blocked: BlockedThreads,
}

/// Measures time limits on the runtime it was made in.
struct TokioTimer(Handle);

impl HookRuntime {
    /// Constructs the plugins, each with the configuration that is kept for it or else with its section of the
    /// configuration file. Must be called on the server's runtime.
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
        let kept = &config.kept_configs;
        let configs = lay_over(&config.plugins, kept, plan);
        let started = Registry::start_with(plan, registrations, &configs, limit);
        let registry = started.map_err(|error| blame_kept(kept, error))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKER_THREADS)
            .thread_name("hooks")
            .enable_all()
            .build()
            .map_err(HookRuntimeError::Threads)?;
        let sections = config.plugins.clone();
        let common = Common { sections, runtime: Some(runtime), blocked: BlockedThreads::default() };
        Ok(Self(Arc::new(Inner {
            registry: RwLock::new(Arc::new(PluginOwned::new(registry))),
            common: Arc::new(common),
        })))
    }

    /// The plugins as they are now. Whoever holds them holds a plugin that is replaced meanwhile.
    pub fn registry(&self) -> Arc<PluginOwned<Registry>> {
        Arc::clone(&self.0.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the configuration file gives to a plugin.
    pub fn section(&self, plugin: &str) -> Option<&Value> {
        self.0.common.sections.get(plugin)
    }

    /// Calls a hook on every plugin that implements it, in hook order, whatever becomes of the ones before. There is
    /// one outcome per plugin, in that order. Failures have been logged and counted. A plugin that is replaced meanwhile is
    /// called all the same, and the one in its place is not.
    pub async fn call_every<E, T>(&self, hook: Hook, event: Arc<E>, call: HookCall<E, T>) -> Vec<Outcome<T>>
    where
        E: Send + Sync + 'static,
        T: Send + 'static,
    {
        let registry = self.registry();
        let plugins = registry.implementing(hook).len();
        let mut outcomes = Vec::with_capacity(plugins);
        while outcomes.len() < plugins {
            let first = outcomes.len();
            let context = self.round_context(Arc::clone(&registry));
            let round = Round::over_every(context, hook, first, Arc::clone(&event), call);
            let cause = match round {
                Ok(round) => self.follow(hook, round, &mut outcomes).await,
                Err(error) => Some(no_thread(&error)),
            };
            if let Some(cause) = cause {
                let Outcome { plugin, result } = registry.failure_at(hook, outcomes.len(), cause);
                let Err(failure) = result;
                outcomes.push(self.given_up(plugin, failure));
            }
        }
        outcomes
    }

    /// Calls a hook on the plugin of this name and version as it is now, whether it implements the hook or not.
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
        let registry = self.registry();
        let PluginManifest { name, version, .. } = &entry.manifest;
        let is_meant = |own: &PluginManifest| (&own.name, &own.version) == (name, version);
        let index = registry.entries().iter().position(|own| is_meant(&own.manifest));
        let index = index.expect("the plugin is one of this runtime's registry");
        let mut outcomes = Vec::with_capacity(1);
        let cause = match Round::over_one(self.round_context(registry), hook, index, event, call) {
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
                Step::Outcome(HookOutcome { outcome, duration }) => {
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
        patience(self.registry().time_limit().duration)
    }

    fn given_up<T>(&self, plugin: usize, failure: HookFailure) -> Outcome<T> {
        self.record(failure.hook, plugin, Some(&failure), self.patience());
        let result = Err(failure);
        Outcome { plugin, result }
    }

    /// Counts a call, and logs its failure.
    fn record(&self, hook: Hook, plugin: usize, failure: Option<&HookFailure>, duration: Duration) {
        let registry = self.registry();
        let manifest = &registry.entries()[plugin].manifest;
        let (name, version) = (manifest.name.as_str(), manifest.version.as_str());
        metrics::hook_called(hook, (name, version), failure, duration);
        let Some(failure) = failure else { return };
        let text = failure.one_line();
        let text = OneLine(&text);
        match failure.cause {
            HookFailureCause::Blocked { .. } => {
                let blocked = self.0.common.blocked.count();
                tracing::error!(
                    hook.name = hook.name(),
                    plugin.name = name,
                    plugin.version = version,
                    "{text}; threads blocked in this way: {blocked}"
                );
            }
            // Whoever asked is told, and nobody else can do anything about it.
            HookFailureCause::Refused { .. } => {
                tracing::debug!(
                    hook.name = hook.name(),
                    plugin.name = name,
                    plugin.version = version,
                    "{text}"
                );
            }
            _ => {
                tracing::warn!(
                    hook.name = hook.name(),
                    plugin.name = name,
                    plugin.version = version,
                    "{text}"
                );
            }
        }
    }

    fn round_context(&self, registry: Arc<PluginOwned<Registry>>) -> RoundContext {
        let Common { blocked, .. } = &*self.0.common;
        RoundContext { registry, hooks: self.0.common.handle(), blocked: blocked.clone() }
    }
}

impl Common {
    /// The runtime of what hooks await and plugins spawn.
    pub(super) fn handle(&self) -> Handle {
        self.runtime.as_ref().expect("is taken only when dropped").handle().clone()
    }
}

impl Drop for Common {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The configurations may hold secrets.
        f.debug_struct("Inner").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Timer for TokioTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let _entered = self.0.enter();
        Box::pin(tokio::time::sleep(duration))
    }
}

/// The configurations to start with. One that is kept for a plugin that is not in this binary waits until it is.
fn lay_over(
    sections: &BTreeMap<String, Value>,
    kept: &[KeptConfig],
    plan: &ComponentPlan,
) -> BTreeMap<String, Value> {
    let mut configs = sections.clone();
    for KeptConfig { plugin, config, file } in kept {
        if plan.plugins.iter().any(|row| row.name == plugin.as_str()) {
            configs.insert(plugin.to_string(), config.clone());
        } else {
            tracing::warn!("{} is for a plugin that is not in this binary", file.display());
        }
    }
    configs
}

/// Names the file, if the plugin that cannot be constructed was given what is kept there.
fn blame_kept(kept: &[KeptConfig], error: StartError) -> HookRuntimeError {
    let is_meant = |kept: &&KeptConfig| match &error {
        StartError::Construct { name, .. } => kept.plugin.as_str() == *name,
        _ => false,
    };
    let Some(KeptConfig { plugin, file, .. }) = kept.iter().find(is_meant) else { return error.into() };
    BadKeptConfig { plugin: plugin.clone(), file: file.clone(), source: error.into() }.into()
}
