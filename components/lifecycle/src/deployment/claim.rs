//! Who works on a version: one deployment or one deletion at a time.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use racetrack_service::ApiError;
use racetrack_store::{Deployment, DeploymentOutcome, NewDeployment};
use tokio::task::JoinHandle;

use super::progress::end;
use super::{DeploymentError, run_claimed};
use crate::App;
use crate::api_error::store_error;

/// The versions that are being deleted, by name and version. Deployments are in the store.
#[derive(Debug, Default)]
pub(crate) struct Deletions(Mutex<HashSet<(String, String)>>);

/// A version that is being deleted, until this is dropped.
#[derive(Debug)]
pub(crate) struct Deletion {
    app: App,
    key: (String, String),
}

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
) -> Result<(Deployment, JoinHandle<Result<(), DeploymentError>>), ApiError>
where
    F: Future<Output = Result<(), DeploymentError>> + Send,
{
    let app = app.clone();
    let starting = tokio::spawn(async move {
        let deployment = app.store.claim_deployment(&claim).await.map_err(store_error)?;
        let (name, version) = (deployment.job_name.clone(), deployment.job_version.clone());
        // After the claim: a deletion looks for claims after it has begun, so one of the two sees the other.
        if app.deletions.lock().contains(&(name.clone(), version.clone())) {
            let error = format!("job {name} v{version} is being deleted");
            let outcome = DeploymentOutcome::Failed { error: error.clone() };
            end(&app, &deployment, outcome).await;
            return Err(ApiError::already_exists(error));
        }
        Ok((deployment.clone(), run_claimed(app, deployment, run)))
    });
    starting.await.map_err(ApiError::internal)?
}

impl Deletions {
    /// Claims a version for a deletion.
    ///
    /// # Errors
    /// 409 when the version is being deployed or deleted.
    pub(crate) async fn begin(app: &App, name: &str, version: &str) -> Result<Deletion, ApiError> {
        let key = (name.to_owned(), version.to_owned());
        if !app.deletions.lock().insert(key.clone()) {
            return Err(ApiError::already_exists(format!("job {name} v{version} is being deleted already")));
        }
        let deletion = Deletion { app: app.clone(), key };
        let under_way = app.store.deployments_in_progress().await.map_err(store_error)?;
        if under_way
            .iter()
            .any(|other| (other.job_name.as_str(), other.job_version.as_str()) == (name, version))
        {
            return Err(ApiError::already_exists(format!(
                "job {name} v{version} is being deployed; it can be deleted when that is over"
            )));
        }
        Ok(deletion)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Deletion {
    fn drop(&mut self) {
        self.app.deletions.lock().remove(&self.key);
    }
}
