//! The handlers.

use axum::Json;
use axum::extract::State;
use racetrack_service::Service;
use serde::Serialize;

/// What `GET /health` answers.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    service: &'static str,
    git_version: String,
    docker_tag: String,
    status: &'static str,
}

/// `GET /health`.
pub(crate) async fn health(State(Service { identity, .. }): State<Service>) -> Json<Health> {
    Json(Health {
        service: identity.component,
        git_version: identity.git_version,
        docker_tag: identity.docker_tag,
        status: "pass",
    })
}
