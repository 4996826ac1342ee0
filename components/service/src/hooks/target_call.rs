//! Calls the parts of infrastructure targets, which are code of plugins as hooks are: guarded in the same way.

use std::error::Error;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use racetrack_core::host::failure::HookFailureCause;
use racetrack_core::{HookResult, PluginName, Version};
use tokio::sync::oneshot;

use super::plugin_thread::{PluginThread, no_thread, patience};
use super::runtime::HookRuntime;
use crate::observability::OneLine;

/// A call of a method of an infrastructure target.
#[derive(Clone, Copy, Debug)]
pub struct TargetCall<'a> {
    /// The target's name.
    pub target: &'a str,
    /// The plugin that offers the target, by its index among [`Registry::entries`](racetrack_core::Registry::entries).
    pub plugin: usize,
    /// The method, as in `deploy_job`.
    pub method: &'static str,
    /// How long the call may take; the time limit of hooks if there is none.
    pub limit: Option<Duration>,
}

/// A method of an infrastructure target failed. The display names target and plugin; the source says why.
#[derive(Debug)]
pub struct TargetFailure {
    /// The target's name.
    pub target: String,
    /// The plugin that offers the target.
    pub plugin: PluginName,
    /// The version of the plugin.
    pub version: Version,
    /// The method that was called.
    pub method: &'static str,
    /// What happened.
    pub cause: HookFailureCause,
}

impl HookRuntime {
    /// Calls a method of an infrastructure target, on a thread of its own: `start` makes the future there.
    ///
    /// The call goes on when its caller goes away, so that no target is left halfway. What it spawns runs on the
    /// runtime of the plugins.
    ///
    /// # Errors
    /// The failure, which has been logged.
    pub async fn call_target<T: Send + 'static>(
        &self,
        call: TargetCall<'_>,
        start: impl FnOnce() -> BoxFuture<'static, HookResult<T>> + Send + 'static,
    ) -> Result<T, Box<TargetFailure>> {
        let limit = call.limit.unwrap_or(self.registry().time_limit().duration);
        let result = self.run_on_thread(limit, start).await;
        result.map_err(|cause| Box::new(self.target_failure(call, cause)))
    }

    /// Runs code of plugins on a thread of its own: `start` makes the future there.
    pub(super) async fn run_on_thread<T: Send + 'static>(
        &self,
        limit: Duration,
        start: impl FnOnce() -> BoxFuture<'static, HookResult<T>> + Send + 'static,
    ) -> Result<T, HookFailureCause> {
        let (sender, answer) = oneshot::channel();
        let common = &self.0.common;
        let hooks = common.handle();
        let body = move || {
            let guarded = AssertUnwindSafe(async {
                match tokio::time::timeout(limit, start()).await {
                    Ok(result) => result.map_err(HookFailureCause::from),
                    Err(_) => Err(HookFailureCause::TimedOut { limit }),
                }
            });
            let result = hooks.block_on(guarded.catch_unwind());
            let result = result.unwrap_or_else(|payload| Err(HookFailureCause::from_panic(&*payload)));
            // Nobody listens when the caller has gone away.
            let _ = sender.send(result);
        };
        let thread = PluginThread::spawn(common.blocked.clone(), body).map_err(|error| no_thread(&error))?;
        match tokio::time::timeout(patience(limit), answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(HookFailureCause::Panic { message: "the thread of the call ended".to_owned() }),
            Err(_) => {
                thread.give_up();
                Err(HookFailureCause::Blocked { limit })
            }
        }
    }

    fn target_failure(&self, call: TargetCall<'_>, cause: HookFailureCause) -> TargetFailure {
        let registry = self.registry();
        let manifest = &registry.entries()[call.plugin].manifest;
        let failure = TargetFailure {
            target: call.target.to_owned(),
            plugin: manifest.name.clone(),
            version: manifest.version.clone(),
            method: call.method,
            cause,
        };
        let text = failure.one_line();
        let (plugin, text) = (failure.plugin.as_str(), OneLine(&text));
        tracing::warn!(plugin.name = plugin, target.name = call.target, method = call.method, "{text}");
        failure
    }
}

impl TargetFailure {
    /// The failure and its cause, as deployments and logs show it.
    pub fn one_line(&self) -> String {
        format!("{self}: {}", self.cause)
    }
}

impl fmt::Display for TargetFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, plugin, version, method, .. } = self;
        write!(f, "`{method}` of infrastructure target `{target}` (plugin `{plugin}` {version}) failed")
    }
}

impl Error for TargetFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}
