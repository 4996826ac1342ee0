//! Why nothing is removed.

use racetrack_service::hooks::TargetFailure;
use racetrack_store::StoreError;

use crate::deployment::ExchangeError;
use crate::offers::TargetChoiceError;

/// Why nothing is removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RetentionError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("image-builder does not say what it holds")]
    Holdings(#[source] ExchangeError),
    #[error("image-builder does not remove what it was told to")]
    Release(#[source] ExchangeError),
    #[error("it is not known which images are in use")]
    Target(#[source] Box<TargetFailure>),
    #[error("infrastructure target {0} has not answered yet when it was last asked which images are in use")]
    BlockedTarget(String),
    #[error(transparent)]
    NoTarget(#[from] TargetChoiceError),
}
