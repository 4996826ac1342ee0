//! Brings jobs up: from a request, or again from what is known of a job.
//!
//! [`begin`] checks a request, claims the version and starts a task; the task builds and provisions, and the record of
//! the deployment tells how it goes. [`redeploy`](again::redeploy), [`reprovision`](again::reprovision) and
//! [`move_job`](again::move_job) provision a job that is there. [`recovery`] takes up what a lifecycle that ended left
//! behind.
//!
//! **Invariants.** A version has one deployment at a time: the claim of the store. A job that serves goes on serving
//! until another instance of it is known to answer; a deployment that fails leaves it in place. Every deployment ends,
//! done or failed, also when its task panics.

pub(crate) mod again;
pub(crate) mod begin;
mod build;
mod claim;
mod deletions;
mod error;
mod image_builder;
mod post_deploy;
mod progress;
mod provisioning;
pub(crate) mod recovery;
mod request;
mod runtime_environment;
mod variables;

pub(crate) use begin::begin;
pub(crate) use deletions::Deletions;
pub(crate) use error::DeploymentError;
pub(crate) use image_builder::{ExchangeError, ImageBuilder};
pub(crate) use post_deploy::post_job_delete;
pub(crate) use progress::run_claimed;
pub(crate) use request::{DeployRequest, read_manifest, refused_upload};
pub(crate) use variables::check_manifest as check_variables;
