//! Deploys a job again from what is known of it: built anew, from its images, or on another infrastructure target.

use std::sync::Arc;

use racetrack_core::{JobManifest, JobSecrets, JobStatus};
use racetrack_service::ApiError;
use racetrack_store::{Deployment, JobRecord, NewDeployment};

use super::build::{BuildSource, build, tag};
use super::provisioning::{Provisioning, former, provision, provision_with_secrets};
use super::request::{ReadManifest, read_stored_manifest};
use super::{DeploymentError, claim, variables};
use crate::App;
use crate::infrastructure::Target;
use crate::request_error::RequestError;

/// How a job is deployed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// From its source in git.
    Redeploy,
    /// From the images it has.
    Reprovision,
    /// From the images it has, on another target.
    Move,
}

/// Builds a job anew from its source in git, and deploys it. Returns when it is up.
///
/// # Errors
/// Why it is not.
pub(crate) async fn redeploy(
    app: &App,
    record: &JobRecord,
    executor: Option<&str>,
) -> Result<(), RequestError> {
    let target = target_of(record)?;
    again(app, record, target, executor, Again::Redeploy).await
}

/// Deploys a job from the images it has. Returns when it is up.
///
/// # Errors
/// Why it is not.
pub(crate) async fn reprovision(
    app: &App,
    record: &JobRecord,
    executor: Option<&str>,
) -> Result<(), RequestError> {
    let target = target_of(record)?;
    again(app, record, target, executor, Again::Reprovision).await
}

/// Brings a job up on another target, and takes it away from its own when it answers there.
///
/// # Errors
/// Why it is not; the job is where it was then.
pub(crate) async fn move_job(
    app: &App,
    record: &JobRecord,
    target: &str,
    executor: Option<&str>,
) -> Result<(), RequestError> {
    if record.job.infrastructure_target.as_deref() == Some(target) {
        return Err(
            ApiError::invalid("new infrastructure target has to be different from the current one").into()
        );
    }
    again(app, record, target, executor, Again::Move).await
}

fn target_of(record: &JobRecord) -> Result<&str, ApiError> {
    let target = record.job.infrastructure_target.as_deref();
    target.ok_or_else(|| ApiError::invalid("the job has no infrastructure target"))
}

async fn again(
    app: &App,
    record: &JobRecord,
    target: &str,
    executor: Option<&str>,
    how: Again,
) -> Result<(), RequestError> {
    let target = app.target(target)?;
    let yaml = record.job.manifest_yaml.clone();
    let yaml = yaml.ok_or_else(|| ApiError::invalid("the manifest of the job is not known"))?;
    let ReadManifest { manifest, yaml } = read_stored_manifest(yaml).await?;
    if how == Again::Redeploy {
        variables::check_manifest(&manifest)?;
    }
    // A restart finds by it that nothing is built: the target may have brought the job up by then.
    let image_name = if how == Again::Redeploy { None } else { record.image_names.first().cloned() };
    let claim = NewDeployment {
        job_name: record.job.name.clone(),
        job_version: record.job.version.clone(),
        manifest_yaml: yaml,
        infrastructure_target: Some(target.name.clone()),
        deployed_by: executor.map(str::to_owned),
        image_name,
    };
    let (known_as, known_manifest) = (record.deployment_id.clone(), record.job.manifest_yaml.clone());
    let task = move |app: App, deployment: Deployment| async move {
        // Read after the claim: before it, somebody else may have deployed, changed or deleted it.
        let former: Arc<JobRecord> = former(&app, &deployment).await?.ok_or(DeploymentError::Deleted)?;
        if former.deployment_id != known_as || former.job.manifest_yaml != known_manifest {
            return Err(DeploymentError::Changed);
        }
        deploy(&app, &deployment, &manifest, &target, &former, how).await
    };
    let (_, task) = claim::start(app, claim, task).await?;
    Ok(task.await.map_err(DeploymentError::Task)??)
}

async fn deploy(
    app: &App,
    deployment: &Deployment,
    manifest: &JobManifest,
    target: &Target,
    former: &JobRecord,
    how: Again,
) -> Result<(), DeploymentError> {
    let secrets = secrets_of(app, former, manifest, how).await?;
    let (image_names, tag) = if how == Again::Redeploy {
        let tag = tag(deployment);
        (build(app, deployment, &secrets, &tag, BuildSource::default()).await?, tag)
    } else {
        (former.image_names.clone(), former.job.image_tag.clone().unwrap_or_default())
    };
    let provisioning = Provisioning {
        deployment,
        manifest,
        target,
        image_names: &image_names,
        tag: &tag,
        secrets: &secrets,
        former: Some(former),
    };
    match how {
        Again::Move => provision_with_secrets(app, provisioning).await,
        Again::Redeploy | Again::Reprovision => provision(app, provisioning).await,
    }
}

/// The secrets that the job's target keeps. One that has none still can be deployed again without, if its manifest asks
/// for none.
async fn secrets_of(
    app: &App,
    former: &JobRecord,
    manifest: &JobManifest,
    how: Again,
) -> Result<JobSecrets, DeploymentError> {
    let name = former.job.infrastructure_target.as_deref().unwrap_or_default();
    let kept = app.target(name)?.get_job_secrets(&former.job.name, &former.job.version).await;
    let is_lost = former.job.status == JobStatus::Lost;
    // A job that is up is not moved without the secrets it has: its target would forget them.
    let needs_none = manifest.secret_runtime_env_file.is_none() && (how == Again::Reprovision || is_lost);
    match kept {
        Ok(secrets) => Ok(secrets),
        Err(_) if needs_none => Ok(JobSecrets::default()),
        Err(failure) => Err(DeploymentError::GetSecrets(failure)),
    }
}
