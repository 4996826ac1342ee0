//! Why a request fails, and the one place where that becomes an answer.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use racetrack_service::ApiError;
use racetrack_store::{NotFound, StoreError};

/// Why a request fails. It has no text of its own: what the store says may be for the log alone, and the answer is what
/// [`ApiError`] says.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// The store does not have what is asked for, does not take what is given, or cannot be used.
    Store(StoreError),
    /// Everything else, as the caller is answered.
    Api(ApiError),
}

/// What changes something is not done now.
pub(crate) fn in_maintenance() -> ApiError {
    let message = "Racetrack is currently in maintenance mode. Please try again later.";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "MaintenanceMode", message)
}

impl From<StoreError> for RequestError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<NotFound> for RequestError {
    fn from(missing: NotFound) -> Self {
        Self::Store(missing.into())
    }
}

impl From<ApiError> for RequestError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<RequestError> for ApiError {
    /// The caller learns what is not there or in the way, and nothing of a database that fails.
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Api(error) => error,
            RequestError::Store(StoreError::NotFound(missing)) => Self::not_found(missing.to_string()),
            RequestError::Store(StoreError::Conflict(conflict)) => Self::already_exists(conflict.to_string()),
            RequestError::Store(outage) if outage.is_outage() => Self::unavailable(outage),
            RequestError::Store(other) => Self::internal(other),
        }
    }
}

impl IntoResponse for RequestError {
    fn into_response(self) -> Response {
        ApiError::from(self).into_response()
    }
}
