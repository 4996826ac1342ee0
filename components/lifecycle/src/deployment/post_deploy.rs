//! What follows when a job is up or gone: plugins are told, permissions given, the audit trail kept. None of it undoes
//! what was done: a failure becomes a warning.

use std::sync::Arc;

use racetrack_core::error::chain;
use racetrack_core::{Hook, Job, JobManifest, PostJobDelete, PostJobDeploy};
use racetrack_service::phase::Phase;
use racetrack_store::{
    AuditEventType, Deployment, JobRecord, NewAuditEvent, NotFound, Permission, Scope, StoreError, Subject,
};

use super::progress::{phase, warn};
use crate::App;
use crate::audit::{self, about_job, with_warnings};

/// What somebody may do with a job who deployed its first version.
const OWNER_SCOPES: [Scope; 4] = [Scope::ReadJob, Scope::CallJob, Scope::DeployJob, Scope::DeleteJob];

/// What `post_job_deploy` is told.
struct Deployed {
    manifest: JobManifest,
    job: Job,
    image_name: String,
    username: Option<String>,
}

/// What `post_job_delete` is told.
struct Deleted {
    job: Job,
    username: Option<String>,
}

/// Tells plugins of a job that is up, and gives its owner what an owner has. The audit trail has what plugins failed at,
/// and the warnings so far.
pub(super) async fn run(
    app: &App,
    deployment: &Deployment,
    manifest: &JobManifest,
    record: &JobRecord,
    former: Option<&JobRecord>,
    mut warnings: Vec<String>,
) {
    phase(app, deployment, Phase::PostDeployHooks).await;
    warnings.extend(call_plugins(app, deployment, manifest, record).await);
    if former.is_none() {
        grant_ownership(app, deployment).await;
    }
    let (name, version) = (manifest.name.as_str(), manifest.version.as_str());
    // Without any, too: those of a former manifest are closed.
    let endpoints = manifest.public_endpoints.as_deref().unwrap_or_default();
    if let Err(error) = app.store.request_public_endpoints(name, version, endpoints).await {
        warn(app, deployment, &chain(&error)).await;
    }
    audit::add(app, &with_warnings(event(deployment, record, former), warnings)).await;
}

/// Tells every plugin that a job is gone; gives the failures, which have been logged.
pub(crate) async fn post_job_delete(app: &App, job: &Job, username: Option<&str>) -> Vec<String> {
    let event = Deleted { job: job.clone(), username: username.map(str::to_owned) };
    let outcomes = app.service.hooks.call_every(Hook::PostJobDelete, Arc::new(event), |plugin, event| {
        let told = PostJobDelete::new(&event.job);
        plugin.post_job_delete(event.username.as_deref().map_or(told, |username| told.deleted_by(username)))
    });
    let failures = outcomes.await.into_iter().filter_map(|outcome| outcome.result.err());
    failures.map(|failure| failure.one_line()).collect()
}

/// Tells every plugin that a job is up; gives the failures, which are warnings of the deployment.
async fn call_plugins(
    app: &App,
    deployment: &Deployment,
    manifest: &JobManifest,
    record: &JobRecord,
) -> Vec<String> {
    let event = Deployed {
        manifest: manifest.clone(),
        job: record.job.clone(),
        image_name: record.image_names.first().cloned().unwrap_or_default(),
        username: deployment.deployed_by.clone(),
    };
    let outcomes = app.service.hooks.call_every(Hook::PostJobDeploy, Arc::new(event), |plugin, event| {
        let Deployed { manifest, job, image_name, username } = event;
        let told = PostJobDeploy::new(manifest, job, image_name);
        plugin.post_job_deploy(username.as_deref().map_or(told, |username| told.deployed_by(username)))
    });
    let mut failures = Vec::new();
    for failure in outcomes.await.into_iter().filter_map(|outcome| outcome.result.err()) {
        let failure = failure.one_line();
        warn(app, deployment, &failure).await;
        failures.push(failure);
    }
    failures
}

/// What was done, for the audit trail.
fn event(deployment: &Deployment, record: &JobRecord, former: Option<&JobRecord>) -> NewAuditEvent {
    let job = (deployment.job_name.as_str(), deployment.job_version.as_str());
    let event = |event_type| about_job(event_type, deployment.deployed_by.as_deref(), job);
    let Some(former) = former else {
        return event(AuditEventType::JobDeployed);
    };
    let targets = [&former.job.infrastructure_target, &record.job.infrastructure_target];
    if targets[0] == targets[1] {
        return event(AuditEventType::JobRedeployed);
    }
    let mut moved = event(AuditEventType::JobMoved);
    for (property, target) in ["from", "to"].into_iter().zip(targets) {
        moved.properties.insert(property.to_owned(), target.clone().into());
    }
    moved
}

/// Lets the deployer read, call, deploy and delete the job. Who is no user, or no longer, gets nothing.
async fn grant_ownership(app: &App, deployment: &Deployment) {
    let Some(username) = &deployment.deployed_by else { return };
    let (name, version) = (&deployment.job_name, &deployment.job_version);
    let permissions = OWNER_SCOPES.map(|scope| Permission::for_job(scope, name, version));
    match app.store.grant(&Subject::user(username), &permissions).await {
        Ok(()) | Err(StoreError::NotFound(NotFound::User { .. })) => {}
        Err(error) => warn(app, deployment, &chain(&error)).await,
    }
}
