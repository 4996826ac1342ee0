//! `GET /health` and `GET /ready`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use racetrack_core::error::chain;
use racetrack_service::Service;
use racetrack_service::health::{self, Ready};
use serde::Serialize;

use crate::pipeline::BuildPipeline;

/// What `GET /health` answers.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    service: &'static str,
    git_version: String,
    docker_tag: String,
    status: &'static str,
    /// Why nothing can be built.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<String>,
}

/// `GET /health`: 200 when jobs can be built, else 500 with the reason.
pub(crate) async fn health(
    State(Service { identity, .. }): State<Service>,
    State(builds): State<BuildPipeline>,
) -> (StatusCode, Json<Health>) {
    let details = why_nothing_is_built(&builds).await;
    let (code, status) = match details {
        None => (StatusCode::OK, "pass"),
        Some(_) => (StatusCode::INTERNAL_SERVER_ERROR, "fail"),
    };
    let health = Health {
        service: identity.component,
        git_version: identity.git_version,
        docker_tag: identity.docker_tag,
        status,
        details,
    };
    (code, Json(health))
}

/// `GET /ready`: not while a folder of builds cannot be written.
pub(crate) async fn ready(
    State(service): State<Service>,
    State(builds): State<BuildPipeline>,
) -> (StatusCode, Json<Ready>) {
    health::ready(&service, why_nothing_is_built(&builds)).await
}

async fn why_nothing_is_built(builds: &BuildPipeline) -> Option<String> {
    builds.check_folders().await.err().map(|error| chain(&*error))
}
