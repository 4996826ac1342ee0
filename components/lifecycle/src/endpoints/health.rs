//! How lifecycle does.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use racetrack_core::error::chain;
use serde::Serialize;

use crate::App;

/// What `GET /health` answers.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    service: &'static str,
    live: bool,
    database_connected: bool,
    git_version: String,
    docker_tag: String,
    auth_required: bool,
}

/// `GET /health`: 200 when the database answers, 500 when it does not.
pub(crate) async fn health(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let identity = &app.service.identity;
    let ping = app.store.ping().await;
    if let Err(error) = &ping {
        tracing::error!(error = chain(error), "the database does not answer");
    }
    let status = if ping.is_ok() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    let health = Health {
        service: identity.component,
        live: true,
        database_connected: ping.is_ok(),
        git_version: identity.git_version.clone(),
        docker_tag: identity.docker_tag.clone(),
        auth_required: app.authenticator.is_required(),
    };
    (status, Json(health))
}
