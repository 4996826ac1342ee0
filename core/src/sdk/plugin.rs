//! The trait that every plugin implements.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::context::PluginContext;
use super::event::{PostJobDelete, PostJobDeploy, RunAction, ValidateJobManifest};
pub use super::hook_result::{EnvVars, HookResult, PluginError};
use super::infrastructure::InfrastructureTarget;
use super::job_type::JobType;
use super::refusal::Refusal;

/// Job types by their full name, such as `python3:2.4.0`.
pub type JobTypes = BTreeMap<String, JobType>;

/// Infrastructure targets by name.
pub type InfrastructureTargets = BTreeMap<String, InfrastructureTarget>;

/// A plugin: a set of hooks that the components call.
///
/// Write `#[racetrack_core::plugin]` above the `impl` block, in the root module of the crate, and the methods you
/// need; each other hook keeps its default and is then never called. The attribute registers the plugin and records
/// which hooks it implements.
///
/// # The life of a plugin
/// 1. `cargo xtask build` links the crate into the components that the plugin manifest names.
/// 2. At start the component constructs the plugin, by [`FromContext`]. Construction has no side effects, so that a
///    component that refuses to start, for a plugin that comes later, has done nothing. An error stops the component,
///    naming the plugin.
/// 3. [`job_types`](Self::job_types) and [`infrastructure_targets`](Self::infrastructure_targets) are asked once.
/// 4. The other hooks are called as things happen, possibly several at a time.
/// 5. The plugin is dropped when the component has stopped serving, or when the last call on it has ended after it was
///    given a new configuration.
///
/// # A new configuration
/// Administrators can give a plugin of lifecycle a new configuration while it runs. Another plugin is then constructed with
/// it and asked what it offers, while the old one still serves. If any of that fails, the new one is dropped and nothing
/// has changed; otherwise it takes the place of the old one for every call that begins later. What only one of them can
/// have, such as a lock, the new one must wait for in the background, not in these hooks.
///
/// # Order
/// A hook reaches the plugins by ascending `priority` of their manifests, and within one priority in the order of the
/// `[[plugin]]` tables in `racetrack.toml`. Nothing else counts.
///
/// # Failures
/// An error, a panic and an expired time limit are the same thing to the caller: a failure that names hook, plugin and
/// version. What it does is said at each hook. A [`Refusal`] is one as well, except where a hook says otherwise. Hooks should not block their thread; one that does is given up after
/// the time limit all the same, but its thread is lost until it returns.
#[async_trait]
pub trait Plugin: Send + Sync + 'static {
    /// Where jobs can be deployed.
    ///
    /// Called on lifecycle, once at start, on every plugin in hook order. A failure stops the component, and so does a
    /// target name that two plugins offer. Of a plugin made for a new configuration they refuse the configuration.
    /// Default: no targets.
    async fn infrastructure_targets(&self) -> HookResult<InfrastructureTargets> {
        Ok(InfrastructureTargets::new())
    }

    /// Variables to add to the environment of the job.
    ///
    /// Called on lifecycle for each deployment, on every plugin in hook order; where two set one variable, the later
    /// one wins. A failure fails the deployment. Default: no variables.
    async fn job_runtime_env_vars(&self) -> HookResult<EnvVars> {
        Ok(EnvVars::new())
    }

    /// The job types this plugin provides, by full name (`name:version`).
    ///
    /// Called on lifecycle and on image-builder, once at start, on every plugin in hook order. A failure stops the
    /// component, and so does a job type that two plugins offer. Of a plugin made for a new configuration they refuse the
    /// configuration. Default: no job types.
    async fn job_types(&self) -> HookResult<JobTypes> {
        Ok(JobTypes::new())
    }

    /// The documentation of the plugin, in Markdown, for the people who use it.
    ///
    /// Called on lifecycle when somebody asks for it. A failure fails that request. Default: none.
    async fn markdown_docs(&self) -> HookResult<Option<String>> {
        Ok(None)
    }

    /// Something to do after a job has been deleted.
    ///
    /// Called on lifecycle, on every plugin in hook order, when the job is gone. A failure is logged and reported as a
    /// warning; the other plugins are still called. Default: nothing.
    async fn post_job_delete(&self, event: PostJobDelete<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// Something to do after a job has been deployed and answers.
    ///
    /// Called on lifecycle, on every plugin in hook order. A failure becomes a warning of the deployment; the job keeps
    /// running and the other plugins are still called. Default: nothing.
    async fn post_job_deploy(&self, event: PostJobDeploy<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }

    /// The plugin's own action, run on request: any JSON in, any JSON out.
    ///
    /// Called on lifecycle for `POST /api/v1/plugin/{name}/run`. A failure fails that request with 500. What is wrong with
    /// the request itself is a [`Refusal`], which is answered with 400, 404 or 409 and its text. Default: a refusal (404)
    /// that says the plugin has no action.
    async fn run_action(&self, event: RunAction<'_>) -> HookResult<serde_json::Value> {
        let _ = event;
        Err(Refusal::not_found("this plugin has no action to run").into())
    }

    /// Whether the manifest of a job obeys the rules of its job type.
    ///
    /// Called on image-builder before a job is built, only on the plugin that provides the job type. A failure fails
    /// the deployment with its text. Default: it does.
    async fn validate_job_manifest(&self, event: ValidateJobManifest<'_>) -> HookResult {
        let _ = event;
        Ok(())
    }
}

/// How a plugin comes into being.
///
/// Types with `Default` are made by it. A plugin that wants its configuration, its resource files or its manifest
/// implements this trait instead of `Default`:
///
/// ```
/// use racetrack_core::{FromContext, PluginContext, PluginError};
/// use serde::Deserialize;
///
/// struct Watcher {
///     pattern: String,
/// }
///
/// #[derive(Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct WatcherConfig {
///     pattern: String,
/// }
///
/// impl FromContext for Watcher {
///     fn from_context(context: PluginContext) -> Result<Self, PluginError> {
///         let config: WatcherConfig = context.config()?;
///         Ok(Self { pattern: config.pattern })
///     }
/// }
///
/// let context = PluginContext::builder("watcher", "1.0.0").config("pattern: skynet").build();
/// assert_eq!(Watcher::from_context(context)?.pattern, "skynet");
/// # Ok::<(), PluginError>(())
/// ```
pub trait FromContext: Sized {
    /// Makes the plugin. Must not do anything that can be seen from outside: no file, no connection, no thread.
    ///
    /// # Errors
    /// Whatever makes the plugin unusable, above all a wrong configuration; the component then refuses to start, or
    /// keeps the plugin that it has.
    fn from_context(context: PluginContext) -> Result<Self, PluginError>;
}

impl<T: Default> FromContext for T {
    fn from_context(_: PluginContext) -> Result<Self, PluginError> {
        Ok(Self::default())
    }
}
