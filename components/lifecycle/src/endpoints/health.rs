//! How lifecycle does.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use racetrack_core::error::chain;
use racetrack_service::health::{self, Ready};
use serde::Serialize;

use crate::App;

/// What `GET /health` answers.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    service: &'static str,
    live: bool,
    database_connected: bool,
    /// Why writes to the database fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    git_version: String,
    docker_tag: String,
    auth_required: bool,
}

/// `GET /health`: 200 when writes to the database succeed, 500 with the reason when they do not.
pub(crate) async fn health(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let identity = &app.service.identity;
    let error = why_writes_fail(&app).await;
    let status = if error.is_none() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    let health = Health {
        service: identity.component,
        live: true,
        database_connected: error.is_none(),
        error,
        git_version: identity.git_version.clone(),
        docker_tag: identity.docker_tag.clone(),
        auth_required: app.authenticator.is_required(),
    };
    (status, Json(health))
}

/// `GET /ready`: not while writes to the database fail.
pub(crate) async fn ready(State(app): State<App>) -> (StatusCode, Json<Ready>) {
    health::ready(&app.service, why_writes_fail(&app)).await
}

async fn why_writes_fail(app: &App) -> Option<String> {
    app.store.check_writes().await.err().map(|error| chain(&*error))
}
