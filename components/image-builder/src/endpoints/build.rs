//! `POST /build` and `POST /build/sse`: the same build, answered as JSON, or as a stream that shows it is alive.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use racetrack_service::ApiError;
use racetrack_service::long_text::{pieces, quoted};
use racetrack_service::upload::UploadError;
use serde_json::json;
use tracing::Instrument;

use crate::pipeline::{BeginError, Build, BuildPipeline, BuildResult};
use crate::request::{BuildRequest, BuildRequestError};

/// Sent while nothing else is.
const HEARTBEAT: &str = "event: keepalive_heartbeat\n\n";

/// What an answer does.
enum Answering {
    Building(Running),
    /// The result is being sent. It may wait for a caller who is busy with another one.
    Result(Pin<Box<dyn stream::Stream<Item = Result<String, Infallible>> + Send>>),
}

type Running = Pin<Box<dyn Future<Output = BuildResult> + Send>>;

/// `POST /build`: builds a job. A job that cannot be built is an answer like any other, with its `error` and its `logs`.
pub(crate) async fn build(
    State(builds): State<BuildPipeline>,
    request: Request,
) -> Result<Json<BuildResult>, ApiError> {
    let build = begin(&builds, request).await?;
    Ok(Json(build.run().await))
}

/// `POST /build/sse`: the same as a stream of server-sent events: heartbeats, and in the end one `result`.
pub(crate) async fn build_sse(
    State(builds): State<BuildPipeline>,
    request: Request,
) -> Result<Response, ApiError> {
    let build = begin(&builds, request).await?;
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
    Ok((headers, Body::from_stream(events(build, builds.config().heartbeat_interval))).into_response())
}

/// Takes the request apart. What is wrong with it is found before anything is answered.
async fn begin(builds: &BuildPipeline, request: Request) -> Result<Build, ApiError> {
    let upload = builds.uploads().receive(request).await.map_err(|error| match error {
        UploadError::Rest(error) => ApiError::invalid(BuildRequestError::Rest(error).to_string()),
        error => error.into(),
    })?;
    let config = builds.clone();
    // The largest that is taken keeps a thread for some milliseconds.
    let parsed = tokio::task::spawn_blocking(move || BuildRequest::parse(upload, config.config()));
    let request = parsed.await.map_err(ApiError::internal)?;
    let request = request.map_err(|error| ApiError::invalid(error.to_string()))?;
    builds.begin(request).map_err(|error| match error {
        BeginError::UnderWay(_) => ApiError::already_exists(error.to_string()),
        BeginError::Log(_) => ApiError::internal(error),
    })
}

/// The stream holds the build: when the caller hangs up, the stream is dropped, and the build with it.
fn events(build: Build, interval: Duration) -> impl stream::Stream<Item = Result<String, Infallible>> + Send {
    let running: Running = Box::pin(build.run().in_current_span());
    stream::unfold(Answering::Building(running), move |answering| async move {
        match answering {
            Answering::Building(mut running) => match tokio::time::timeout(interval, &mut running).await {
                Ok(BuildResult { image_names, logs, error }) => {
                    let names = json!(image_names);
                    let head = format!(
                        "event: result\ndata: {{\"result\": {{\"image_names\":{names},\"error\":{},\"logs\":\"",
                        json!(error)
                    );
                    let mut result = Box::pin(pieces(head, logs, "\"}}\n\n", quoted, ()));
                    let first = result.next().await?;
                    Some((first, Answering::Result(result)))
                }
                Err(_) => Some((Ok(HEARTBEAT.to_owned()), Answering::Building(running))),
            },
            Answering::Result(mut result) => {
                let piece = result.next().await?;
                Some((piece, Answering::Result(result)))
            }
        }
    })
}
