//! The configuration of a plugin.

use axum::Json;
use axum::extract::State;
use racetrack_service::ApiError;
use racetrack_service::extract::Path;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::auth::Caller;
use crate::document::schemas::Nothing;
use crate::extract::JsonBody;
use crate::request_error::RequestError;
use crate::{App, plugin_config};

/// Another configuration.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PluginConfigRequest {
    /// The whole configuration in YAML; nothing for the plugin's section of the configuration file.
    config_data: String,
}

/// Shows the configuration of a plugin
///
/// It is the text that was last written, or else the plugin's section of the configuration file, as YAML; an empty text
/// if there is neither. It may hold secrets.
#[utoipa::path(get, path = "/plugin/{name}/{version}/config", tag = "plugins",
    params(("name" = String, Path), ("version" = String, Path)), responses((status = 200, body = String, content_type = "application/json"), (status = 404, description = "there is no such plugin")))]
pub(crate) async fn get_config(
    State(app): State<App>,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<String>, RequestError> {
    check_exists(&app, &name, &version)?;
    Ok(Json(plugin_config::read(&app, &name).await?))
}

/// Gives a plugin another configuration
///
/// The plugin is made anew, in all its versions, and takes the place of the one that is there for every call that begins
/// later. When something is wrong with the configuration, or with what plugins then offer, nothing changes. What is
/// written survives a restart and goes before the plugin's section of the configuration file; an empty text goes back to
/// that. It is the configuration of plugins of lifecycle; those of image-builder have their own, in its configuration
/// file.
#[utoipa::path(put, path = "/plugin/{name}/{version}/config", tag = "plugins",
    params(("name" = String, Path), ("version" = String, Path)), request_body = PluginConfigRequest,
    responses((status = 200, body = Nothing), (status = 400, description = "what is wrong with the configuration"),
        (status = 404, description = "there is no such plugin")))]
pub(crate) async fn put_config(
    State(app): State<App>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
    JsonBody(PluginConfigRequest { config_data }): JsonBody<PluginConfigRequest>,
) -> Result<Json<()>, RequestError> {
    check_exists(&app, &name, &version)?;
    plugin_config::write(&app, &name, config_data).await?;
    let by = caller.name().unwrap_or("anybody".into());
    tracing::info!(plugin.name = name, by = &*by, "the plugin has another configuration");
    Ok(Json(()))
}

fn check_exists(app: &App, name: &str, version: &str) -> Result<(), ApiError> {
    match app.service.hooks.registry().find(name, version) {
        Some(_) => Ok(()),
        None => Err(ApiError::not_found(format!("plugin named \"{name}\" {version} was not found"))),
    }
}
