//! Takes requests apart where lifecycle has rules of its own.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use racetrack_service::ApiError;
use serde::de::DeserializeOwned;

use crate::auth::{BuildPath, JobPath};

/// A body of JSON. Its content type does not matter: clients in use send others.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

/// A body of JSON that may be left out, or `null`.
#[derive(Debug)]
pub(crate) struct JsonBodyOrDefault<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Bytes::from_request(request, state).await?;
        parsed(&body).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for JsonBodyOrDefault<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = Bytes::from_request(request, state).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        parsed::<Option<T>>(&body).map(|given| Self(given.unwrap_or_default()))
    }
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

impl<S: Send + Sync> FromRequestParts<S> for crate::auth::Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| ApiError::internal("a route that asks for no token wants to know its caller"))
    }
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| ApiError::invalid(format!("the body of the request is wrong: {error}")))?;
    json.end().map_err(|error| ApiError::invalid(format!("the body of the request is not JSON: {error}")))?;
    Ok(value)
}
