//! Why a job does not come up. The texts before the colons are those that users of Racetrack know.

use axum::http::StatusCode;
use racetrack_core::error::chain;
use racetrack_core::host::failure::{HookFailure, HookFailureCause};
use racetrack_service::ApiError;
use racetrack_service::hooks::TargetFailure;
use racetrack_store::StoreError;

use super::image_builder::BuildError;
use crate::offers::TargetChoiceError;
use crate::request_error::RequestError;

/// Why a job does not come up, or does not go where it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeploymentError {
    #[error(transparent)]
    Target(#[from] TargetChoiceError),
    #[error("saving job secrets")]
    SaveSecrets(#[source] Box<TargetFailure>),
    #[error("retrieving job secrets")]
    GetSecrets(#[source] Box<TargetFailure>),
    #[error("building an image")]
    Build(#[source] BuildError),
    #[error("creating job resource: environment of the job")]
    Environment(#[source] HookFailure),
    #[error("creating job resource")]
    Create(#[source] Box<TargetFailure>),
    #[error("saving job in database")]
    Save(#[source] StoreError),
    #[error("verifying deployed job")]
    Verify(#[source] Box<TargetFailure>),
    #[error("the job was deleted while it was being deployed")]
    Deleted,
    #[error("the job was changed meanwhile; try again")]
    Changed,
    #[error("deleting job from a former infrastructure")]
    DeleteFormer(#[source] Box<TargetFailure>),
    #[error("deleting job resource")]
    Delete(#[source] Box<TargetFailure>),
    #[error("reading logs of the job")]
    Logs(#[source] Box<TargetFailure>),
    #[error("keeping the state of the deployment")]
    Store(#[from] StoreError),
    #[error("reading the manifest of the job: {0}")]
    Manifest(String),
    #[error("halted due to server restart")]
    Halted,
    #[error("halted due to server restart, and the job did not come up")]
    HaltedJob(#[source] Box<TargetFailure>),
    #[error("the deployment failed: {0}")]
    Panicked(String),
    #[error("the task of the deployment ended")]
    Task(#[source] tokio::task::JoinError),
}

impl From<DeploymentError> for RequestError {
    /// Whoever waits for the deployment learns what its record says.
    fn from(error: DeploymentError) -> Self {
        match error {
            DeploymentError::Target(error) => error.into(),
            DeploymentError::Store(error) => error.into(),
            DeploymentError::Manifest(_) => ApiError::invalid(error.to_string()).into(),
            DeploymentError::Deleted | DeploymentError::Changed => {
                ApiError::already_exists(error.to_string()).into()
            }
            DeploymentError::Logs(ref failure)
                if let HookFailureCause::Refused { kind, .. } = failure.cause =>
            {
                ApiError::refused(kind, chain(&error)).into()
            }
            error => {
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "DeploymentError", chain(&error)).into()
            }
        }
    }
}
