//! How lifecycle does.

use axum::Json;
use axum::extract::State;
use racetrack_service::Service;
use serde::Serialize;

/// What `GET /health` answers.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    service: &'static str,
    live: bool,
    git_version: String,
    docker_tag: String,
    auth_required: bool,
}

/// `GET /health`.
pub(crate) async fn health(State(Service { identity, .. }): State<Service>) -> Json<Health> {
    Json(Health {
        service: identity.component,
        live: true,
        git_version: identity.git_version,
        docker_tag: identity.docker_tag,
        auth_required: false,
    })
}
