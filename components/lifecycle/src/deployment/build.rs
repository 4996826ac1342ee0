//! The first half of a deployment: from the source of a job to its images.

use racetrack_core::JobSecrets;
use racetrack_core::yaml::{self, YamlLimits};
use racetrack_service::phase::Phase;
use racetrack_service::upload::SourceFile;
use racetrack_store::Deployment;
use serde_json::Value;

use super::DeploymentError;
use super::image_builder::{BuildError, BuildOrder, OrderText};
use super::progress::phase;
use crate::App;

/// What a job is built from, besides its manifest and secrets.
#[derive(Debug, Default)]
pub(crate) struct BuildSource {
    /// An archive, where it does not come from git.
    pub(crate) archive: Option<SourceFile>,
    pub(crate) build_flags: Vec<String>,
}

/// Has the job built; gives the names of its images, the entrypoint's first. Logs are kept of failures too.
pub(super) async fn build(
    app: &App,
    deployment: &Deployment,
    secrets: &JobSecrets,
    tag: &str,
    source: BuildSource,
) -> Result<Vec<String>, DeploymentError> {
    phase(app, deployment, Phase::Building).await;
    let platform_id = app.store.platform_id().await?;
    let order = order(deployment, secrets, tag, &source.build_flags, &platform_id)?;
    let built = async {
        app.image_builder.wait_until_healthy().await?;
        app.image_builder.build(order, source.archive).await
    };
    let built = match built.await {
        Ok(built) => built,
        Err(error) => {
            keep(app, deployment, None, &error.to_string()).await?;
            return Err(DeploymentError::Build(error));
        }
    };
    keep(app, deployment, built.image_names.first().map(String::as_str), &built.logs).await?;
    let image_names: Result<_, BuildError> = built.into_image_names();
    image_names.map_err(DeploymentError::Build)
}

/// Its values are gone when the text is there: they take many times its memory, and builds take their time.
fn order(
    deployment: &Deployment,
    secrets: &JobSecrets,
    tag: &str,
    build_flags: &[String],
    platform_id: &str,
) -> Result<OrderText, DeploymentError> {
    let manifest: Value = yaml::read(&deployment.manifest_yaml, YamlLimits::STORED_JOB_MANIFEST)
        .map_err(|error| DeploymentError::Manifest(error.to_string()))?;
    let order = BuildOrder {
        manifest: &manifest,
        git_credentials: secrets.git_credentials.as_ref(),
        secret_build_env: &secrets.secret_build_env,
        tag,
        deployment_id: &deployment.id,
        build_flags,
        platform_id,
    };
    order.to_text().map_err(DeploymentError::Build)
}

async fn keep(
    app: &App,
    deployment: &Deployment,
    image_name: Option<&str>,
    logs: &str,
) -> Result<(), DeploymentError> {
    Ok(app.store.save_build(&deployment.id, image_name, logs).await?)
}

/// The tag of the images of a deployment: when it was claimed, in UTC, and the beginning of its id, as in `2021-08-12T094058-5c0a1d9e`:
/// seconds repeat when a clock is set back, and when somebody is quick.
pub(super) fn tag(deployment: &Deployment) -> String {
    let seconds = u64::try_from(deployment.create_time).unwrap_or_default();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let text = humantime::format_rfc3339_seconds(time).to_string();
    let id = deployment.id.split('-').next().unwrap_or_default();
    format!("{}-{id}", text.trim_end_matches('Z').replace(':', ""))
}
