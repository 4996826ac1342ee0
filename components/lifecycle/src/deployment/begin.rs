//! From a request to a deployment under way.

use std::borrow::Cow;

use racetrack_core::{JobManifest, JobSecrets};
use racetrack_service::ApiError;
use racetrack_store::{AccessRequest, Deployment, JobRecord, NewDeployment, Scope};

use super::build::{BuildSource, build, tag};
use super::progress::warn;
use super::provisioning::{Provisioning, former, provision_with_secrets};
use super::request::{DeployRequest, ReadManifest};
use super::{DeploymentError, claim, variables};
use crate::App;
use crate::auth::Caller;
use crate::infrastructure::Target;
use crate::request_error::RequestError;

/// Checks a request, claims the version, and starts to deploy. Whoever asked follows the record.
///
/// # Errors
/// 400 when the request or its manifest is wrong or there is no such target, 401 when the caller may not do this, 409 when
/// the version is there or being deployed.
pub(crate) async fn begin(
    app: &App,
    caller: &Caller,
    mut request: DeployRequest,
) -> Result<Deployment, RequestError> {
    let ReadManifest { manifest, yaml } = request.read_manifest().await?;
    variables::check_manifest(&manifest)?;
    request.check_secret_variables()?;
    let wanted = manifest.infrastructure_target.as_deref();
    let target = app.offers().choose_target(wanted, app.config.infrastructure_target.as_deref())?;
    may_deploy(app, caller, &manifest).await?;
    if !request.force.unwrap_or(false) && !app.config.allow_job_overwrite {
        refuse_overwriting(app, &manifest).await?;
    }
    request.check_build_context(app.config.unpack_limits).await?;
    let claim = NewDeployment {
        job_name: manifest.name.clone(),
        job_version: manifest.version.clone(),
        manifest_yaml: yaml,
        infrastructure_target: Some(target),
        deployed_by: caller.name().map(Cow::into_owned),
        image_name: None,
    };
    let secrets = request.secrets();
    let source = BuildSource { archive: request.source, build_flags: request.build_flags };
    let memory = request.memory;
    let task = |app, deployment| async move {
        // What came with the request is in memory until this ends.
        let _memory = memory;
        deploy(&app, &deployment, &manifest, secrets, source).await
    };
    // The record tells how it ends.
    let (deployment, _) = claim::start(app, claim, task).await?;
    Ok(deployment)
}

async fn deploy(
    app: &App,
    deployment: &Deployment,
    manifest: &JobManifest,
    secrets: JobSecrets,
    source: BuildSource,
) -> Result<(), DeploymentError> {
    let target = app.target(deployment.infrastructure_target.as_deref().unwrap_or_default())?;
    let former = former(app, deployment).await?;
    // Before anything that a plugin keeps of the job: some ask for its family.
    app.store.ensure_job_family(&manifest.name).await?;
    let tag = tag(deployment);
    let image_names = build(app, deployment, &secrets, &tag, source).await?;
    let kept = kept_secrets(&target, former.as_deref()).await;
    let provisioning = Provisioning {
        deployment,
        manifest,
        target: &target,
        image_names: &image_names,
        tag: &tag,
        secrets: &secrets,
        former: former.as_deref(),
    };
    let provisioned = provision_with_secrets(app, provisioning).await;
    if provisioned.is_err()
        && let Some(kept) = kept
        && let Err(error) = target.save_job_secrets(&manifest.name, &manifest.version, &kept).await
    {
        warn(app, deployment, &format!("the former secrets are not put back: {}", error.one_line())).await;
    }
    provisioned
}

/// The secrets of the job that is there: it stays when the new one does not come up, and needs its own then.
async fn kept_secrets(target: &Target, former: Option<&JobRecord>) -> Option<JobSecrets> {
    let former = former.filter(|former| former.job.infrastructure_target.as_deref() == Some(&target.name))?;
    target.get_job_secrets(&former.job.name, &former.job.version).await.ok()
}

/// Whether the caller may deploy a version of this job, or the first one.
async fn may_deploy(app: &App, caller: &Caller, manifest: &JobManifest) -> Result<(), RequestError> {
    let families = app.store.job_families().await?;
    let JobManifest { name, version, .. } = manifest;
    let has_family = families.iter().any(|family| &family.name == name);
    let (scope, request, what) = if has_family {
        let scope = Scope::DeployJob;
        (scope, AccessRequest::job(scope, name, version), format!("job {name} {version}"))
    } else {
        let scope = Scope::DeployNewFamily;
        (scope, AccessRequest::everywhere(scope), format!("a new job family {name}"))
    };
    if caller.may(&request) {
        return Ok(());
    }
    let caller = caller.description();
    Err(ApiError::unauthorized(format!(
        "Unauthorized: {caller} has no permission with scope {scope} for {what}"
    ))
    .into())
}

/// Refuses a version that is there, and one that was: its users would not notice that it is another job.
async fn refuse_overwriting(app: &App, manifest: &JobManifest) -> Result<(), RequestError> {
    let JobManifest { name, version, .. } = manifest;
    let jobs = app.store.jobs().await?;
    if jobs.get(name, version).is_ok() {
        return Err(ApiError::already_exists(format!(
            "job {name} v{version} is already deployed. Try deploying next version or use --force flag"
        ))
        .into());
    }
    if app.store.deleted_job(name, version).await?.is_some() {
        return Err(ApiError::already_exists(format!(
            "Job {name} v{version} has already been deployed and deleted. Can't claim it again to prevent \
             accidental/hostile reusing."
        ))
        .into());
    }
    Ok(())
}
