//! What clients want to know before they log in.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;

/// What clients want to know before they log in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Info {
    service: &'static str,
    git_version: String,
    docker_tag: String,
    auth_required: bool,
    external_pub_url: String,
    lifecycle_url: String,
    grafana_url: String,
}

/// Tells where jobs are reached, and whether callers have to show who they are
#[utoipa::path(get, path = "/info", tag = "server", responses((status = 200, body = Info)))]
pub(crate) async fn info(State(app): State<App>) -> Json<Info> {
    let identity = &app.service.identity;
    Json(Info {
        service: identity.component,
        git_version: identity.git_version.clone(),
        docker_tag: identity.docker_tag.clone(),
        auth_required: app.authenticator.is_required(),
        external_pub_url: app.config.external_pub_url.to_string(),
        lifecycle_url: app.config.external_lifecycle_url.to_string(),
        grafana_url: String::new(),
    })
}
