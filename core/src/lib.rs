//! The Racetrack plugin SDK.
//!
//! Racetrack deploys *jobs* to *infrastructure targets*. What is specific — job types, infrastructures, extra actions —
//! comes from *plugins*: crates that implement [`Plugin`] and depend on this crate alone. They are linked into the
//! components at build time, as `racetrack.toml` declares them.
//!
//! A whole plugin:
//!
//! ```
//! use racetrack_core::{EnvVars, HookResult, Plugin, PostJobDeploy};
//!
//! #[derive(Default)]
//! pub struct SkynetWatcher;
//!
//! #[racetrack_core::plugin]
//! impl Plugin for SkynetWatcher {
//!     async fn post_job_deploy(&self, event: PostJobDeploy<'_>) -> HookResult {
//!         if event.job.name.contains("skynet") {
//!             return Err("a job named skynet is up".into());
//!         }
//!         Ok(())
//!     }
//!
//!     async fn job_runtime_env_vars(&self) -> HookResult<EnvVars> {
//!         Ok(EnvVars::from([("SKYNET_TARGET".to_owned(), "MrPresident".to_owned())]))
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! # Where to look
//! - Writing a plugin: [`Plugin`] and its hooks, the [events](event) they get, [`FromContext`] and [`PluginContext`].
//! - The things hooks speak of: [`Job`], [`JobManifest`], [`JobType`], [`InfrastructureTarget`], [`JobSecrets`].
//! - Telling a caller's mistake from a failure of the plugin: [`Refusal`].
//! - Texts of jobs and builds, which have no bound of their own: [`text`].
//! - What manifests mean: [`job_type_match`], [`Quantity`], [`Version`].
//! - Keeping secrets out of what people see: [`redaction`].
//! - Running plugins: the [`Registry`], held to its [`ComponentPlan`](host::plan::ComponentPlan); the [catalogue](Hook) of hooks.
#![warn(missing_docs)]

pub mod error;
pub mod host;
pub mod model;
pub mod redaction;
pub mod sdk;
pub mod text;
pub mod yaml;

pub use async_trait::async_trait;
/// Registers the plugin that an `impl Plugin for …` block implements.
///
/// Stands above the block, in the root module of the plugin's crate; a crate has one plugin. It lets hooks be written
/// as `async fn`, submits the plugin to the registry, and records which hooks the block implements, so that only those
/// are ever called.
///
/// A method that is no hook, a hook that is not `async` and a block of another trait are compile errors at their place. So is a hook
/// under `#[cfg]`, or one that a macro writes: the plan lists the hooks of a plugin for every build, before anything is compiled.
/// `if cfg!(…)` inside of the hook does what `#[cfg]` would.
pub use racetrack_macros::plugin;

/// What generated code names.
#[doc(hidden)]
pub use host::plan;
#[doc(no_inline)]
pub use model::{
    git_source, job, job_environment, job_manifest, job_type_match, plugin_manifest, plugin_name, quantity,
    secrets, version,
};
#[doc(no_inline)]
pub use sdk::{
    context, event, hook, hook_result, infrastructure, job_bundle, job_type, open_files, plugin, refusal,
    registration, resources, shared_check, tool_launcher, trouble,
};

pub use host::registry::Registry;
pub use model::job::{Job, JobStatus};
pub use model::job_manifest::JobManifest;
pub use model::plugin_manifest::{Category, PluginManifest};
pub use model::plugin_name::PluginName;
pub use model::quantity::Quantity;
pub use model::secrets::{GitCredentials, JobSecrets};
pub use model::version::Version;
pub use sdk::context::PluginContext;
pub use sdk::event::{PostJobDelete, PostJobDeploy, RunAction, ValidateJobManifest};
pub use sdk::hook::Hook;
pub use sdk::hook_result::{EnvVars, HookResult, PluginError};
pub use sdk::infrastructure::{
    DeployJob, InfrastructureTarget, JobDeployer, JobMonitor, LogsSession, LogsStreamer, OnLine,
};
pub use sdk::job_bundle::{BundleRecipe, JobBundle, MakeBundle};
pub use sdk::job_type::{ImageDefinition, ImageSource, JobType};
pub use sdk::plugin::{FromContext, InfrastructureTargets, JobTypes, Plugin};
pub use sdk::refusal::{Refusal, RefusalKind};
pub use text::{BoundedText, TextLimit};

/// What the expansion of the attribute macro names. Not part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use async_trait::async_trait;
    pub use inventory;
}
