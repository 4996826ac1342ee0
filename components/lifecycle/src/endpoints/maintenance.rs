//! Maintenance: a time in which nothing is changed.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::document::schemas::Nothing;
use crate::extract::JsonBody;
use crate::request_error::RequestError;

/// Whether deployments and calls are refused for the time being.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Maintenance {
    maintenance_mode: bool,
}

/// Tells whether it is maintenance
#[utoipa::path(get, path = "/maintenance", tag = "server", responses((status = 200, body = Maintenance)))]
pub(crate) async fn get_maintenance(State(app): State<App>) -> Result<Json<Maintenance>, RequestError> {
    let maintenance_mode = app.store.is_in_maintenance().await?;
    Ok(Json(Maintenance { maintenance_mode }))
}

/// Begins or ends maintenance: meanwhile jobs are neither changed nor called
#[utoipa::path(put, path = "/maintenance", tag = "server", request_body = Maintenance,
    responses((status = 200, body = Nothing)))]
pub(crate) async fn put_maintenance(
    State(app): State<App>,
    JsonBody(Maintenance { maintenance_mode }): JsonBody<Maintenance>,
) -> Result<Json<()>, RequestError> {
    Ok(Json(app.store.set_maintenance(maintenance_mode).await?))
}
