//! Calls that cannot be forwarded, and what the caller is told.

use std::io;

use axum::Json;
use axum::http::uri::InvalidUri;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use racetrack_core::error::chain;
use racetrack_service::StalledBody;
use serde::Serialize;

use super::upstream::Upstream;

/// Why a call was not forwarded or not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum ForwardError {
    #[error("the job has no replica")]
    NoReplica,
    #[error("cannot connect to {address}")]
    Connect {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error("the call to {address} failed")]
    Call {
        address: String,
        #[source]
        source: hyper::Error,
    },
    #[error("the job at {address} switched to a protocol that nobody asked for")]
    UnaskedSwitch { address: String },
    #[error("`{0}` is not an address")]
    Address(String),
    #[error("`..` in a path is not forwarded")]
    Climbing,
    #[error("the path of the job is not the path of a URL")]
    Path(#[source] InvalidUri),
    #[error("the URL of the gateway does not start with `http://`")]
    GatewayScheme,
    #[error("the token for the gateway does not fit into a header")]
    GatewayToken,
}

/// What the caller is told, in the words of Racetrack's Pub.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    error: String,
    job_name: &'a str,
    job_version: &'a str,
    job_status: &'a str,
    request_id: String,
    caller: &'a str,
}

/// Tells the caller of a failure.
pub(super) fn response(error: &ForwardError, upstream: &Upstream<'_>, tracing_id: &HeaderValue) -> Response {
    let status = match error {
        ForwardError::Climbing => StatusCode::BAD_REQUEST,
        ForwardError::Call { source, .. } if StalledBody::is_cause_of(source) => StatusCode::REQUEST_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    };
    let failure = Failure {
        error: format!("Reverse proxy error: {}", chain(error)),
        job_name: upstream.job_name,
        job_version: upstream.job_version,
        job_status: upstream.status,
        request_id: String::from_utf8_lossy(tracing_id.as_bytes()).into_owned(),
        caller: upstream.caller,
    };
    (status, Json(failure)).into_response()
}
