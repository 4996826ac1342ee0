//! How failures of lifecycle's parts are answered.

use axum::http::StatusCode;
use racetrack_service::ApiError;
use racetrack_store::StoreError;

use crate::auth::PasswordError;

/// What is not there or in the way is told to the caller; that the database fails is not.
pub(crate) fn store_error(error: StoreError) -> ApiError {
    match error {
        StoreError::NotFound(missing) => ApiError::not_found(missing.to_string()),
        StoreError::Conflict(conflict) => ApiError::already_exists(conflict.to_string()),
        other => ApiError::internal(other),
    }
}

/// What changes something is not done now.
pub(crate) fn in_maintenance() -> ApiError {
    let message = "Racetrack is currently in maintenance mode. Please try again later.";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "MaintenanceMode", message)
}

impl From<PasswordError> for ApiError {
    /// Rules of passwords are told to the caller.
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::TooShort | PasswordError::TooLong => Self::invalid(error.to_string()),
            PasswordError::Hash(_) | PasswordError::Thread(_) => Self::internal(error),
        }
    }
}
