//! Takes up the deployments that a lifecycle was torn from.
//!
//! What was being built is gone with its request: such a deployment failed. What was built, or needed no build, may well
//! answer by now: the target is asked, and the deployment is done, or failed and cleaned up. Until then its version stays claimed.

use std::sync::Arc;

use racetrack_core::{Job, JobManifest, JobSecrets, JobStatus};
use racetrack_service::phase::Phase;
use racetrack_store::{Deployment, DeploymentStatus, JobRecord};

use super::build::tag;
use super::provisioning::{
    Provisioning, complete, described, forget, former, leave_former_target, roll_back, timestamp,
    wait_until_ready,
};
use super::request::read_stored_manifest;
use super::{DeploymentError, post_deploy, run_claimed};
use crate::App;
use crate::infrastructure::Target;

/// Takes up every deployment that is in progress although nobody works on it. Called once, before requests are served.
///
/// # Errors
/// When the deployments cannot be read.
pub(crate) async fn recover(app: &App) -> Result<(), racetrack_store::StoreError> {
    for deployment in app.store.deployments_in_progress().await? {
        let (name, version) = (&deployment.job_name, &deployment.job_version);
        tracing::info!(job = name, version, id = deployment.id, "taking up a deployment that was torn off");
        drop(run_claimed(app.clone(), deployment, |app, deployment| async move {
            take_up(&app, &deployment).await
        }));
    }
    Ok(())
}

async fn take_up(app: &App, deployment: &Deployment) -> Result<(), DeploymentError> {
    let known = former(app, deployment).await?;
    if let Some(record) = known.as_deref().filter(|record| is_result_of(deployment, record)) {
        return finish_what_follows(app, deployment, record).await;
    }
    // A version that was not there before is kept as starting while it is brought up.
    let former = known.filter(|record| record.job.status != JobStatus::Starting);
    let target = match app.target(deployment.infrastructure_target.as_deref().unwrap_or_default()) {
        Ok(target) => target,
        Err(error) => {
            if former.is_none() {
                forget(app, deployment).await;
            }
            return Err(error.into());
        }
    };
    let back = bring_back(app, deployment, &target, former.clone()).await;
    if back.is_err() {
        roll_back(app, deployment, &target, former.as_deref()).await;
    }
    back
}

/// Whether the job is up already that this deployment was to bring up.
fn is_result_of(deployment: &Deployment, record: &JobRecord) -> bool {
    record.deployment_id.as_ref() == Some(&deployment.id) && record.job.status != JobStatus::Starting
}

/// Does what follows when a job is up, some of it perhaps once more: plugins are told at least once.
async fn finish_what_follows(
    app: &App,
    deployment: &Deployment,
    record: &JobRecord,
) -> Result<(), DeploymentError> {
    let is_first = record.job.create_time == record.job.update_time;
    let former = if is_first { None } else { Some(replaced_by(app, deployment, record).await?) };
    // A text that is not a phase comes from an older version or from elsewhere, and says nothing of the former target.
    let phase = deployment.phase.as_deref().and_then(|text| text.parse().ok());
    let is_leaving = phase == Some(Phase::LeavingFormerTarget);
    let warnings = match former.as_ref().filter(|_| is_leaving) {
        Some(former) => leave_former_target(app, deployment, former).await,
        None => Vec::new(),
    };
    let manifest = manifest_of(deployment).await?;
    post_deploy::run(app, deployment, &manifest, record, former.as_ref(), warnings).await;
    Ok(())
}

/// The job that another one took the place of, as far as it is known still: it was where the last deployment before this
/// one brought it.
async fn replaced_by(
    app: &App,
    deployment: &Deployment,
    record: &JobRecord,
) -> Result<JobRecord, DeploymentError> {
    let deployments = app.store.deployments(u32::MAX).await?;
    let last = deployments.into_iter().find(|other| {
        other.status == DeploymentStatus::Done
            && (&other.job_name, &other.job_version) == (&deployment.job_name, &deployment.job_version)
    });
    let mut replaced = record.clone();
    if let Some(target) = last.and_then(|last| last.infrastructure_target) {
        replaced.job.infrastructure_target = Some(target);
    }
    Ok(replaced)
}

async fn manifest_of(deployment: &Deployment) -> Result<JobManifest, DeploymentError> {
    let manifest = read_stored_manifest(deployment.manifest_yaml.clone()).await;
    manifest.map(|read| read.manifest).map_err(|error| DeploymentError::Manifest(error.to_string()))
}

/// Completes the deployment if its job answers.
async fn bring_back(
    app: &App,
    deployment: &Deployment,
    target: &Target,
    former: Option<Arc<JobRecord>>,
) -> Result<(), DeploymentError> {
    let manifest = manifest_of(deployment).await?;
    let reused =
        former.as_deref().filter(|former| former.image_names.first() == deployment.image_name.as_ref());
    let (image_names, tag) = match reused {
        // The deployment names the first of them alone.
        Some(former) => (former.image_names.clone(), former.job.image_tag.clone().unwrap_or_default()),
        None => (deployment.image_name.iter().cloned().collect(), tag(deployment)),
    };
    if image_names.is_empty() {
        return Err(DeploymentError::Halted);
    }
    let provisioning = Provisioning {
        deployment,
        manifest: &manifest,
        target,
        image_names: &image_names,
        tag: &tag,
        // They are with the target already.
        secrets: &JobSecrets::default(),
        former: former.as_deref(),
    };
    let timestamp = timestamp(deployment, former.as_deref());
    let asked = Job::new(&deployment.job_name, &deployment.job_version, JobStatus::Starting, timestamp);
    let ready = wait_until_ready(app, deployment, target, asked, timestamp).await;
    ready.map_err(DeploymentError::HaltedJob)?;
    let listed = target.list_jobs(()).await.map_err(DeploymentError::HaltedJob)?;
    let found = listed.into_iter().find(|job| {
        (&job.name, &job.version) == (&deployment.job_name, &deployment.job_version)
            && job.update_time == timestamp
    });
    let found = found.ok_or(DeploymentError::Halted)?;
    let job = described(app, &provisioning, timestamp, Some(found));
    complete(app, provisioning, job).await
}
