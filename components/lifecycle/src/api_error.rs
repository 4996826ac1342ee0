//! How failures of lifecycle's parts are answered.

use axum::http::StatusCode;
use racetrack_service::ApiError;
use racetrack_store::StoreError;

use crate::auth::{AGAIN_IN, PasswordError, TooManyAttempts, TooManyRegistrations};

/// What is not there or in the way is told to the caller; that the database fails is not.
pub(crate) fn store_error(error: StoreError) -> ApiError {
    match error {
        StoreError::NotFound(missing) => ApiError::not_found(missing.to_string()),
        StoreError::Conflict(conflict) => ApiError::already_exists(conflict.to_string()),
        outage if outage.is_outage() => ApiError::unavailable(outage),
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
            PasswordError::Busy => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "TooManyRequests", error.to_string())
                    .retry_after(AGAIN_IN)
            }
            PasswordError::Hash(_) | PasswordError::Thread(_) => Self::internal(error),
        }
    }
}

impl From<TooManyAttempts> for ApiError {
    fn from(error: TooManyAttempts) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", error.to_string())
            .retry_after(error.again_in)
    }
}

impl From<TooManyRegistrations> for ApiError {
    fn from(error: TooManyRegistrations) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", error.to_string())
            .retry_after(error.again_in)
    }
}
