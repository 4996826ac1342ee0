//! What a job wrote, and what its build wrote.

use axum::Json;
use axum::extract::State;
use racetrack_service::ApiError;
use racetrack_service::extract::Query;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::job::JobAddress;
use crate::App;
use crate::auth::{BuildPath, JobPath};
use crate::jobs::logs;

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
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Logs {
    logs: String,
}

/// Shows the last lines that a job wrote
#[utoipa::path(get, path = "/job/{name}/{version}/logs", tag = "logs", params(JobAddress, Tail),
    responses((status = 200, body = Logs)))]
pub(crate) async fn of_job(
    State(app): State<App>,
    JobPath(record): JobPath,
    Query(Tail { tail }): Query<Tail>,
) -> Result<Json<Logs>, ApiError> {
    Ok(Json(Logs { logs: logs::of_job(&app, &record, tail as usize).await? }))
}

/// Shows the last lines that a job wrote as plain text, without colours
#[utoipa::path(get, path = "/job/{name}/{version}/logs/plain", tag = "logs", params(JobAddress, Tail),
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn of_job_plain(
    State(app): State<App>,
    JobPath(record): JobPath,
    Query(Tail { tail }): Query<Tail>,
) -> Result<String, ApiError> {
    Ok(logs::without_colours(&logs::of_job(&app, &record, tail as usize).await?))
}

/// Shows what the latest build of a job wrote
///
/// Also of a version that never came up or is gone, if it is named exactly.
#[utoipa::path(get, path = "/job/{name}/{version}/build-logs", tag = "logs", params(JobAddress, BuildTail),
    responses((status = 200, body = Logs)))]
pub(crate) async fn of_build(
    State(app): State<App>,
    build: BuildPath,
    Query(BuildTail { tail }): Query<BuildTail>,
) -> Result<Json<Logs>, ApiError> {
    Ok(Json(Logs { logs: logs::of_build(&app, &build, tail as usize).await? }))
}

/// Shows what the latest build of a job wrote as plain text, without colours
///
/// Also of a version that never came up or is gone, if it is named exactly.
#[utoipa::path(get, path = "/job/{name}/{version}/build-logs/plain", tag = "logs", params(JobAddress, BuildTail),
    responses((status = 200, body = String, content_type = "text/plain")))]
pub(crate) async fn of_build_plain(
    State(app): State<App>,
    build: BuildPath,
    Query(BuildTail { tail }): Query<BuildTail>,
) -> Result<String, ApiError> {
    Ok(logs::without_colours(&logs::of_build(&app, &build, tail as usize).await?))
}

const fn default_tail() -> u32 {
    20
}
