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
    /// Why something cannot be stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    git_version: String,
    docker_tag: String,
    auth_required: bool,
}

/// `GET /health`: 200 when the database and the infrastructure targets can store what they have to, 500 with the reason when they
/// cannot.
pub(crate) async fn health(State(app): State<App>) -> (StatusCode, Json<Health>) {
    let identity = &app.service.identity;
    let database_failure = database_failure(&app).await;
    let database_connected = database_failure.is_none();
    let error = match database_failure {
        None => storage_failure(&app).await,
        failure => failure,
    };
    let status = if error.is_none() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
    let health = Health {
        service: identity.component,
        live: true,
        database_connected,
        error,
        git_version: identity.git_version.clone(),
        docker_tag: identity.docker_tag.clone(),
        auth_required: app.authenticator.is_required(),
    };
    (status, Json(health))
}

/// `GET /ready`: not while the database or an infrastructure target cannot store what it has to.
pub(crate) async fn ready(State(app): State<App>) -> (StatusCode, Json<Ready>) {
    let failure = async {
        match database_failure(&app).await {
            None => storage_failure(&app).await,
            failure => failure,
        }
    };
    health::ready(&app.service, failure).await
}

async fn database_failure(app: &App) -> Option<String> {
    app.store.check_writes().await.err().map(|error| chain(&*error))
}

async fn storage_failure(app: &App) -> Option<String> {
    app.storage_check.failure(&app.service.hooks, &app.offers()).await
}
