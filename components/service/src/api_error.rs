//! The one shape in which errors leave the API: `{"error": "<text>", "type": "<class>"}`.
//!
//! The classes are those the original platform's clients know. A 4xx tells the caller what to change. A 5xx tells
//! nothing of the inside: its cause is logged, once, under the request's id. The exception is the failure of a plugin
//! hook that a request asked for: its text is meant for whoever asked.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use racetrack_core::RefusalKind;
use racetrack_core::error::chain;
use racetrack_core::host::failure::HookFailure;
use racetrack_core::text::{BoundedText, TextLimit};
use serde::Serialize;

/// An error as the caller of the API sees it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    status: StatusCode,
    class: &'static str,
    message: String,
    retry_after: Option<Duration>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// The cause of a 5xx, carried along with the response to where requests are logged.
#[derive(Clone, Debug)]
pub(crate) struct PrivateCause(pub(crate) Arc<str>);

#[derive(Serialize)]
struct Envelope {
    error: String,
    #[serde(rename = "type")]
    class: &'static str,
}

impl ApiError {
    /// The request is wrong: 400.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ValueError", message)
    }

    /// The caller is unknown, or may not do this: 401.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UnauthorizedError", message)
    }

    /// What is asked for is not there: 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "EntityNotFound", message)
    }

    /// What should be made is there already, or cannot be made like this: 409.
    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "AlreadyExists", message)
    }

    /// What a plugin says of a request that is wrong.
    pub fn refused(kind: RefusalKind, text: impl Into<String>) -> Self {
        match kind {
            RefusalKind::NotFound => Self::not_found(text),
            RefusalKind::Conflict => Self::already_exists(text),
            // Whatever else there will be, the caller made the mistake.
            _ => Self::invalid(text),
        }
    }

    /// Something inside went wrong: 500. The caller learns nothing of `source`; the log does.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let message = "internal error; the log of the server has the details under the id of this request";
        let mut error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message);
        error.source = Some(source.into());
        error
    }

    /// What is needed is away for now: 503. The caller learns nothing of `source`; the log does.
    pub fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let message = "the server cannot do this now; its log has the details under the id of this request";
        let mut error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", message);
        error.source = Some(source.into());
        error
    }

    /// An answer with this status, class and text. All three are shown to the caller. The text is cut to
    /// [`TextLimit::RECORD`]: it may quote a plugin or a job.
    pub fn new(status: StatusCode, class: &'static str, message: impl Into<String>) -> Self {
        let message = BoundedText::new(message, TextLimit::RECORD).into();
        Self { status, class, message, retry_after: None, source: None }
    }

    /// The same, with the time after which to try again.
    #[must_use]
    pub fn retry_after(self, time: Duration) -> Self {
        Self { retry_after: Some(time), ..self }
    }
}

impl From<HookFailure> for ApiError {
    /// The caller asked for the hook, so the text of its failure is the answer. It has been logged where it happened.
    fn from(failure: HookFailure) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "HookFailure", failure.one_line())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let cause = self.source.as_deref().map(|source| PrivateCause(chain(source).into()));
        let envelope = Envelope { error: self.message, class: self.class };
        let mut response = (self.status, Json(envelope)).into_response();
        if let Some(time) = self.retry_after {
            // Rounded up: earlier it would be too early.
            let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if let Some(cause) = cause {
            response.extensions_mut().insert(cause);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inside_stays_inside() {
        let error = ApiError::internal("the database at /var/lib is gone");
        assert!(!error.to_string().contains("database"));
        let response = error.into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let cause = response.extensions().get::<PrivateCause>().expect("is carried along");
        assert_eq!(&*cause.0, "the database at /var/lib is gone");
    }

    #[test]
    fn each_class_has_its_status() {
        let classes = [
            (ApiError::invalid("x"), 400),
            (ApiError::unauthorized("x"), 401),
            (ApiError::not_found("x"), 404),
            (ApiError::already_exists("x"), 409),
        ];
        for (error, status) in classes {
            assert_eq!(error.into_response().status().as_u16(), status);
        }
    }
}
