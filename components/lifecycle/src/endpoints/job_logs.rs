//! What a job wrote, and what its build wrote.

use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use racetrack_service::ApiError;
use racetrack_service::extract::Query;
use racetrack_service::long_text::{pieces, quoted};
use serde::Deserialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa::{IntoParams, ToSchema};

use super::job::JobAddress;
use crate::App;
use crate::auth::{BuildPath, JobPath};
use crate::jobs::logs;
use crate::request_error::RequestError;

/// How many lines of a log of a job.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Tail {
    /// The number of lines from the end; 0 means all. No more than the last 4 MiB are shown.
    #[serde(default = "default_tail")]
    #[param(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64)]
    tail: u32,
}

/// How many lines of a log of a build.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct BuildTail {
    /// The number of lines from the end; 0 means all. No more than the last 4 MiB are shown.
    #[serde(default)]
    #[param(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64)]
    tail: u32,
}

/// Lines of a log.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "is written piece by piece")]
pub(crate) struct Logs {
    logs: String,
}

/// Whose turn it is to read a log into memory.
static READING: Semaphore = Semaphore::const_new(8);

/// Whose turn it is to be sent a large log, which may take as long as its reader likes.
static SENDING: Semaphore = Semaphore::const_new(12);

/// The largest log that is sent without a place, in bytes.
const SMALL: usize = 256 << 10;

/// How long a reader waits for a place.
const WAIT: Duration = Duration::from_secs(10);

/// Shows the last lines that a job wrote
#[utoipa::path(get, path = "/job/{name}/{version}/logs", tag = "logs", params(JobAddress, Tail),
    responses((status = 200, body = Logs), (status = 503, description = "too many large logs are being read")))]
pub(crate) async fn of_job(
    State(app): State<App>,
    JobPath(record): JobPath,
    Query(Tail { tail }): Query<Tail>,
) -> Result<Response, RequestError> {
    let reading = place(&READING).await?;
    let logs = logs::of_job(&app, &record, tail as usize).await?;
    drop(reading);
    Ok(json(logs).await?)
}

/// Shows the last lines that a job wrote as plain text, without colours
#[utoipa::path(get, path = "/job/{name}/{version}/logs/plain", tag = "logs", params(JobAddress, Tail),
    responses((status = 200, body = String, content_type = "text/plain"),
        (status = 503, description = "too many large logs are being read")))]
pub(crate) async fn of_job_plain(
    State(app): State<App>,
    JobPath(record): JobPath,
    Query(Tail { tail }): Query<Tail>,
) -> Result<Response, RequestError> {
    let reading = place(&READING).await?;
    let logs = logs::without_colours(&logs::of_job(&app, &record, tail as usize).await?);
    drop(reading);
    Ok(plain(logs).await?)
}

/// Shows what the latest build of a job wrote
///
/// Also of a version that never came up or is gone, if it is named exactly.
#[utoipa::path(get, path = "/job/{name}/{version}/build-logs", tag = "logs", params(JobAddress, BuildTail),
    responses((status = 200, body = Logs), (status = 503, description = "too many large logs are being read")))]
pub(crate) async fn of_build(
    State(app): State<App>,
    build: BuildPath,
    Query(BuildTail { tail }): Query<BuildTail>,
) -> Result<Response, RequestError> {
    let reading = place(&READING).await?;
    let logs = logs::of_build(&app, &build, tail as usize).await?;
    drop(reading);
    Ok(json(logs).await?)
}

/// Shows what the latest build of a job wrote as plain text, without colours
///
/// Also of a version that never came up or is gone, if it is named exactly.
#[utoipa::path(get, path = "/job/{name}/{version}/build-logs/plain", tag = "logs", params(JobAddress, BuildTail),
    responses((status = 200, body = String, content_type = "text/plain"),
        (status = 503, description = "too many large logs are being read")))]
pub(crate) async fn of_build_plain(
    State(app): State<App>,
    build: BuildPath,
    Query(BuildTail { tail }): Query<BuildTail>,
) -> Result<Response, RequestError> {
    let reading = place(&READING).await?;
    let logs = logs::without_colours(&logs::of_build(&app, &build, tail as usize).await?);
    drop(reading);
    Ok(plain(logs).await?)
}

async fn place(of: &'static Semaphore) -> Result<SemaphorePermit<'static>, ApiError> {
    let place = tokio::time::timeout(WAIT, of.acquire()).await;
    let place = place.map_err(|_| {
        let message =
            "too many logs are being read at once; try again later, or ask for fewer lines (`tail`)";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "TooManyReaders", message).retry_after(WAIT)
    })?;
    place.map_err(ApiError::internal)
}

async fn place_to_send(logs: &str) -> Result<Option<SemaphorePermit<'static>>, ApiError> {
    if logs.len() > SMALL { place(&SENDING).await.map(Some) } else { Ok(None) }
}

async fn json(logs: String) -> Result<Response, ApiError> {
    let place = place_to_send(&logs).await?;
    let pieces = pieces("{\"logs\":\"".to_owned(), logs, "\"}", quoted, place);
    Ok(([(CONTENT_TYPE, "application/json")], Body::from_stream(pieces)).into_response())
}

async fn plain(logs: String) -> Result<Response, ApiError> {
    let place = place_to_send(&logs).await?;
    let pieces = pieces(String::new(), logs, "", str::to_owned, place);
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], Body::from_stream(pieces)).into_response())
}

const fn default_tail() -> u32 {
    20
}
