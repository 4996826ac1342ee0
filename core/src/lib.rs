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
//! - Running plugins: the [`Registry`], held to its [`ComponentPlan`](plan::ComponentPlan); the [catalogue](Hook) of hooks.
#![warn(missing_docs)]

pub mod catalogue;
pub mod context;
pub mod error;
pub mod event;
pub mod failure;
pub mod git_source;
#[expect(
    unsafe_code,
    reason = "linkme puts each descriptor into a link section; no unsafe code is written by hand"
)]
pub mod hook;
pub mod infrastructure;
pub mod job;
pub mod job_bundle;
pub mod job_environment;
pub mod job_manifest;
pub mod job_type;
pub mod job_type_match;
pub mod open_files;
pub mod plan;
pub mod plugin;
pub mod plugin_manifest;
pub mod plugin_name;
pub mod progress;
pub mod quantity;
pub mod redaction;
pub mod refusal;
pub mod registration;
pub mod registry;
mod round;
pub mod secrets;
pub mod shared_check;
pub mod start;
pub mod text;
pub mod time_limit;
pub mod tool_launcher;
pub mod trouble;
pub mod version;
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

pub use context::PluginContext;
pub use event::{PostJobDelete, PostJobDeploy, RunAction, ValidateJobManifest};
pub use hook::Hook;
pub use infrastructure::{
    DeployJob, InfrastructureTarget, JobDeployer, JobMonitor, LogsSession, LogsStreamer, OnLine,
};
pub use job::{Job, JobStatus};
pub use job_bundle::{BundleRecipe, JobBundle, MakeBundle};
pub use job_manifest::JobManifest;
pub use job_type::{ImageDefinition, ImageSource, JobType};
pub use plugin::{EnvVars, FromContext, HookResult, InfrastructureTargets, JobTypes, Plugin, PluginError};
pub use plugin_manifest::{Category, PluginManifest};
pub use plugin_name::PluginName;
pub use quantity::Quantity;
pub use refusal::{Refusal, RefusalKind};
pub use registry::Registry;
pub use secrets::{GitCredentials, JobSecrets};
pub use text::{BoundedText, TextLimit};
pub use version::Version;

/// What the expansion of the attribute macro names. Not for hands.
#[doc(hidden)]
pub mod __private {
    pub use async_trait::async_trait;
    pub use inventory;
}
