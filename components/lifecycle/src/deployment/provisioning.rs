//! The second half of a deployment: from the images of a job to a job that answers.

use std::sync::Arc;

use racetrack_core::error::chain;
use racetrack_core::{Job, JobManifest, JobSecrets, JobStatus, job_type_match};
use racetrack_service::hooks::TargetFailure;
use racetrack_service::phase::Phase;
use racetrack_store::{Deployment, JobRecord, NotFound, StoreError, Subject};

use super::progress::{phase, warn};
use super::runtime_environment::{PlatformVariables, variables};
use super::{DeploymentError, post_deploy};
use crate::App;
use crate::infrastructure::{JobDeployment, OnJobAlive, Target};

/// A job to be brought up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Provisioning<'a> {
    pub(super) deployment: &'a Deployment,
    pub(super) manifest: &'a JobManifest,
    pub(super) target: &'a Target,
    pub(super) image_names: &'a [String],
    pub(super) tag: &'a str,
    pub(super) secrets: &'a JobSecrets,
    /// The job of this version that is there, on this target or on another.
    pub(super) former: Option<&'a JobRecord>,
}

/// Brings the job up. The job that is there serves until the new one answers; when the new one does not, it goes, and the
/// other one stays.
pub(super) async fn provision(app: &App, provisioning: Provisioning<'_>) -> Result<(), DeploymentError> {
    let Provisioning { deployment, target, former, .. } = provisioning;
    phase(app, deployment, Phase::CreatingResources).await;
    let timestamp = timestamp(deployment, former);
    if former.is_none() {
        save_starting(app, &provisioning, timestamp).await?;
    }
    let provisioned = async {
        let job = bring_up(app, &provisioning, timestamp).await?;
        complete(app, provisioning, job).await
    };
    let provisioned = provisioned.await;
    if provisioned.is_err() {
        roll_back(app, deployment, target, former).await;
    }
    provisioned
}

/// Has the target keep the secrets of the job, and brings the job up.
pub(super) async fn provision_with_secrets(
    app: &App,
    provisioning: Provisioning<'_>,
) -> Result<(), DeploymentError> {
    let Provisioning { deployment, manifest, target, secrets, former, .. } = provisioning;
    if let Err(error) = target.save_job_secrets(&manifest.name, &manifest.version, secrets).await {
        // The target may have kept some of them.
        roll_back(app, deployment, target, former).await;
        return Err(DeploymentError::SaveSecrets(error));
    }
    provision(app, provisioning).await
}

/// What follows when the new job answers: callers are sent to it, what it replaces goes, and plugins are told. Fails only
/// if callers cannot be sent to it; it has to be rolled back then.
pub(super) async fn complete(
    app: &App,
    provisioning: Provisioning<'_>,
    mut job: Job,
) -> Result<(), DeploymentError> {
    let Provisioning { deployment, manifest, image_names, former, target, .. } = provisioning;
    job.status = JobStatus::Running;
    let elsewhere = former.filter(|former| former.job.infrastructure_target.as_deref() != Some(&target.name));
    if elsewhere.is_some() {
        // Before the job is said to be here: a restart in between must find that the other one is still to go.
        phase(app, deployment, Phase::LeavingFormerTarget).await;
    }
    let saved = app.store.save_deployed_job(&job, image_names, &deployment.id).await;
    let record = saved.map_err(DeploymentError::Save)?;
    let warnings = match elsewhere {
        Some(former) => leave_former_target(app, deployment, former).await,
        None => Vec::new(),
    };
    post_deploy::run(app, deployment, manifest, &record, former, warnings).await;
    Ok(())
}

/// The time that tells instances of a version from one another, in seconds since 1970: the same after a restart, and
/// later than that of the job that is there.
pub(super) fn timestamp(deployment: &Deployment, former: Option<&JobRecord>) -> i64 {
    let later = former.map_or(0, |former| former.job.update_time + 1);
    deployment.create_time.max(later)
}

/// Takes away what a deployment that failed left on its target, unless the job that was there is on it.
pub(super) async fn roll_back(
    app: &App,
    deployment: &Deployment,
    target: &Target,
    former: Option<&JobRecord>,
) {
    let (name, version) = (&deployment.job_name, &deployment.job_version);
    if former.is_some_and(|former| former.job.infrastructure_target.as_deref() == Some(&target.name)) {
        return;
    }
    if let Err(error) = target.delete_job(name, version).await {
        warn(app, deployment, &format!("what was deployed is not taken away: {}", error.one_line())).await;
    }
    if former.is_none() {
        forget(app, deployment).await;
    }
}

/// Shows a version no more that was starting and did not come up.
pub(super) async fn forget(app: &App, deployment: &Deployment) {
    match app.store.forget_job(&deployment.job_name, &deployment.job_version).await {
        Ok(()) | Err(StoreError::NotFound(_)) => {}
        Err(error) => warn(app, deployment, &chain(&error)).await,
    }
}

/// Shows a version that was not there before as starting.
async fn save_starting(
    app: &App,
    provisioning: &Provisioning<'_>,
    timestamp: i64,
) -> Result<(), DeploymentError> {
    let job = described(app, provisioning, timestamp, None);
    let saved =
        app.store.save_deployed_job(&job, provisioning.image_names, &provisioning.deployment.id).await;
    saved.map(drop).map_err(DeploymentError::Save)
}

async fn bring_up(
    app: &App,
    provisioning: &Provisioning<'_>,
    timestamp: i64,
) -> Result<Job, DeploymentError> {
    let Provisioning { deployment, manifest, target, image_names, tag, secrets, .. } = *provisioning;
    app.store.ensure_job_family(&manifest.name).await?;
    let family = Subject::job_family(&manifest.name);
    let token = app.store.token_for(&family).await?;
    let auth_token = app.authenticator.sign(&family, &token.seed);
    let platform =
        PlatformVariables { pub_url: app.config.internal_pub_url.as_str(), auth_token: &auth_token };
    let variables = variables(&app.service.hooks, manifest, secrets, platform).await;
    let request = JobDeployment {
        manifest: manifest.clone(),
        image_names: image_names.to_vec(),
        tag: tag.to_owned(),
        variables: variables.map_err(DeploymentError::Environment)?,
        secret_variables: secrets.secret_runtime_env.clone(),
        timestamp,
    };
    let started = target.deploy_job(request).await.map_err(DeploymentError::Create)?;
    phase(app, deployment, Phase::StartingServer).await;
    let job = described(app, provisioning, timestamp, Some(started));
    if provisioning.former.is_none() {
        update_starting(app, &job).await?;
    }
    wait_until_ready(app, deployment, target, job.clone(), timestamp)
        .await
        .map_err(DeploymentError::Verify)?;
    Ok(job)
}

/// Waits until the target says that the job answers, or that it does not and is gone.
pub(super) async fn wait_until_ready(
    app: &App,
    deployment: &Deployment,
    target: &Target,
    job: Job,
    timestamp: i64,
) -> Result<(), Box<TargetFailure>> {
    let (alive, is_alive) = tokio::sync::watch::channel(false);
    let on_job_alive: OnJobAlive = Box::new(move || {
        alive.send_replace(true);
    });
    let check = target.check_job_condition(job, timestamp, on_job_alive, app.config.job_start_time_limit);
    let mut check = std::pin::pin!(check);
    let mut is_alive = is_alive;
    tokio::select! {
        result = &mut check => return result,
        Ok(_) = is_alive.wait_for(|alive| *alive) => {}
    }
    phase(app, deployment, Phase::InitializingEntrypoint).await;
    check.await
}

/// The job as it is kept: what its target says of it, and what lifecycle knows.
pub(super) fn described(
    app: &App,
    provisioning: &Provisioning<'_>,
    timestamp: i64,
    started: Option<Job>,
) -> Job {
    let Provisioning { deployment, manifest, target, tag, .. } = provisioning;
    let (name, version) = (&manifest.name, &manifest.version);
    let mut job = started.unwrap_or_else(|| Job::new(name, version, JobStatus::Starting, timestamp));
    job.name.clone_from(name);
    job.version.clone_from(version);
    job.status = JobStatus::Starting;
    job.create_time = timestamp;
    job.update_time = timestamp;
    job.manifest_yaml = Some(deployment.manifest_yaml.clone());
    job.pub_url = Some(format!("{}/job/{name}/{version}", app.config.external_pub_url));
    job.image_tag = Some((*tag).to_owned());
    job.deployed_by.clone_from(&deployment.deployed_by);
    job.infrastructure_target = Some(target.name.clone());
    job.job_type_version = job.job_type_version.or_else(|| Some(job_type_of(app, provisioning)));
    job
}

/// The exact job type, where the target does not tell it: that of the former job, if it has the same images, or else what
/// the manifest means now. If nobody offers that any more, what the manifest says.
fn job_type_of(app: &App, provisioning: &Provisioning<'_>) -> String {
    let Provisioning { manifest, image_names, former, .. } = provisioning;
    let built_before = former.filter(|former| former.image_names == *image_names);
    if let Some(job_type) = built_before.and_then(|former| former.job.job_type_version.clone()) {
        return job_type;
    }
    let offers = app.offers();
    let wanted = manifest.job_type();
    let found = job_type_match::resolve(wanted, offers.job_types.iter().map(|(name, _)| name));
    found.unwrap_or(wanted).to_owned()
}

/// Keeps where a starting job is reached. It may have been deleted meanwhile.
async fn update_starting(app: &App, job: &Job) -> Result<(), DeploymentError> {
    let updated = app.store.update_job(&job.name, &job.version, |record| record.job.clone_from(job)).await;
    match updated {
        Ok(_) => Ok(()),
        Err(StoreError::NotFound(NotFound::JobName { .. } | NotFound::JobVersion { .. })) => {
            Err(DeploymentError::Deleted)
        }
        Err(error) => Err(DeploymentError::Save(error)),
    }
}

/// Deletes the job from the target that it was on. It is up on another by then, so a failure does not undo that: the
/// failures are given, which are warnings of the deployment.
pub(super) async fn leave_former_target(
    app: &App,
    deployment: &Deployment,
    former: &JobRecord,
) -> Vec<String> {
    let Some(name) = &former.job.infrastructure_target else { return Vec::new() };
    let deleted = async {
        let target = app.target(name)?;
        target.delete_job(&former.job.name, &former.job.version).await.map_err(DeploymentError::DeleteFormer)
    };
    let mut failures = Vec::from_iter(deleted.await.err().map(|error| chain(&error)));
    // Before plugins are told that the job is up: one that keeps a list of jobs would take the new one off it.
    failures.extend(post_deploy::post_job_delete(app, &former.job, deployment.deployed_by.as_deref()).await);
    for failure in &failures {
        warn(app, deployment, failure).await;
    }
    failures
}

/// The job that is there, which a deployment would replace.
pub(super) async fn former(
    app: &App,
    deployment: &Deployment,
) -> Result<Option<Arc<JobRecord>>, DeploymentError> {
    match app.store.job(&deployment.job_name, &deployment.job_version).await {
        Ok(record) => Ok(Some(record)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
