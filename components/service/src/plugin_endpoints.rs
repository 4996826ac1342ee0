//! The plugin endpoints that components have in common, and what they answer from.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use racetrack_core::host::catalogue::{Catalogue, CatalogueError};
use racetrack_core::{Hook, JobType, PluginManifest};

use crate::{HookRuntime, Service};

/// Asks every plugin for its job types.
///
/// # Errors
/// [`CatalogueError`] when a plugin fails, or two offer one job type.
pub async fn collect_job_types(hooks: &HookRuntime) -> Result<Catalogue<JobType>, CatalogueError> {
    let outcomes = hooks.call_every(Hook::JobTypes, Arc::new(()), |plugin, ()| plugin.job_types());
    Catalogue::collect(&hooks.registry(), Hook::JobTypes, outcomes.await)
}

/// `GET /plugin`: the plugin manifests, in hook order.
pub async fn list(State(service): State<Service>) -> Json<Vec<PluginManifest>> {
    Json(manifests(&service.hooks))
}

/// `GET /plugin/job_type/versions`: the job types by full name, sorted.
pub async fn job_type_versions(State(job_types): State<Arc<Catalogue<JobType>>>) -> Json<Vec<String>> {
    Json(job_types.iter().map(|(name, _)| name.to_owned()).collect())
}

/// The plugin manifests, in hook order.
pub fn manifests(hooks: &HookRuntime) -> Vec<PluginManifest> {
    let registry = hooks.registry();
    let entries = registry.entries().iter();
    entries.map(|entry| entry.manifest.clone()).collect()
}
