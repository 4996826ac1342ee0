//! Claims a version for a deployment: one deployment or one deletion of it at a time.

use racetrack_service::ApiError;
use racetrack_store::{Deployment, DeploymentOutcome, NewDeployment};
use tokio::task::JoinHandle;

use super::progress::end;
use super::{DeploymentError, run_claimed};
use crate::App;
use crate::request_error::RequestError;

/// Claims a version for a deployment, and runs it in a task of its own.
///
/// The claim is part of a task as well: whoever asks may go away at any moment, and a claim that nobody works on would
/// keep the version from everybody.
///
/// # Errors
/// 409 when the version is being deployed or deleted.
pub(super) async fn start<F>(
    app: &App,
    claim: NewDeployment,
    run: impl FnOnce(App, Deployment) -> F + Send + 'static,
) -> Result<(Deployment, JoinHandle<Result<(), DeploymentError>>), RequestError>
where
    F: Future<Output = Result<(), DeploymentError>> + Send,
{
    let app = app.clone();
    let starting = tokio::spawn(async move {
        let deployment = app.store.claim_deployment(&claim).await?;
        let (name, version) = (deployment.job_name.clone(), deployment.job_version.clone());
        // After the claim: a deletion looks for claims after it has begun, so one of the two sees the other.
        if app.deletions.includes(&name, &version) {
            let error = format!("job {name} v{version} is being deleted");
            let outcome = DeploymentOutcome::Failed { error: error.clone() };
            end(&app, &deployment, outcome).await;
            return Err(RequestError::from(ApiError::already_exists(error)));
        }
        Ok((deployment.clone(), run_claimed(app, deployment, run)))
    });
    starting.await.map_err(ApiError::internal)?
}
