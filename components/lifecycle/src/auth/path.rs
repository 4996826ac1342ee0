//! What the path of a request means: a job, or the builds of a version.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use racetrack_service::ApiError;
use racetrack_store::JobRecord;

/// The job that the path of a request means. Routes with the access `Job` have it among the request's extensions.
#[derive(Clone, Debug)]
pub(crate) struct JobPath(pub(crate) Arc<JobRecord>);

/// The version whose builds the path of a request means. Routes with the access `Build` have it among the request's
/// extensions.
#[derive(Clone, Debug)]
pub(crate) struct BuildPath {
    pub(crate) name: String,
    pub(crate) version: String,
}

impl<S: Send + Sync> FromRequestParts<S> for JobPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let job = parts.extensions.get::<Self>().cloned();
        job.ok_or_else(|| ApiError::internal("a route about a job does not ask for access to one"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for BuildPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let build = parts.extensions.get::<Self>().cloned();
        build.ok_or_else(|| ApiError::internal("a route about builds does not ask for access to any"))
    }
}
