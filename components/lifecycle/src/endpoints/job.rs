//! One job: what it is, and what can be done to it.

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;
use racetrack_service::ApiError;
use racetrack_service::extract::Path;
use racetrack_service::peer::Peer;
use racetrack_store::{Permission, PublicEndpoint, Scope};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::auth::{Caller, JobPath, check_giver};
use crate::deployment::{again, check_variables, read_manifest};
use crate::document::schemas::{Nothing, PublicEndpointSchema};
use crate::extract::JsonBody;
use crate::jobs::{JobView, delete as deletion};
use crate::request_error::RequestError;

/// The address of a job.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "routes about a job find it before their handlers are called")]
pub(crate) struct JobAddress {
    /// The name of the job.
    name: String,
    /// Its version: exact, `latest`, or a wildcard such as `2.x`.
    version: String,
}

/// Where a job should go.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Move {
    infrastructure_target: String,
}

/// The manifest a job should have.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ManifestText {
    manifest_yaml: String,
}

/// A path of a job, and whether anybody may call it.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct EndpointState {
    /// The path, as the job's manifest has it.
    endpoint: String,
    active: bool,
}

/// Shows a job
#[utoipa::path(get, path = "/job/{name}/{version}", tag = "jobs", params(JobAddress),
    responses((status = 200, body = JobView<'static>), (status = 404, description = "there is none")))]
pub(crate) async fn get(
    State(app): State<App>,
    JobPath(record): JobPath,
    head: Parts,
) -> Result<Json<Value>, ApiError> {
    let peer = Peer::of(&head.extensions);
    app.log_gate.remember(peer, &head.headers, &record);
    serde_json::to_value(JobView::from(&*record)).map(Json).map_err(ApiError::internal)
}

/// Deletes a job of an exact version
#[utoipa::path(delete, path = "/job/{name}/{version}", tag = "jobs", params(JobAddress),
    responses((status = 200, body = Nothing), (status = 409, description = "it is being deployed")))]
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    JobPath(record): JobPath,
    address: Path<(String, String)>,
) -> Result<Json<()>, RequestError> {
    let Path((_, version)) = address;
    if record.job.version != version {
        return Err(ApiError::invalid(format!(
            "\"{version}\" is no exact version; only an exact version is deleted, such as {}",
            record.job.version
        ))
        .into());
    }
    deletion::delete(&app, &record.job.name, &version, caller.name().as_deref()).await.map(Json)
}

/// Builds a job anew from its source in git, and deploys it; answers when it is up
#[utoipa::path(post, path = "/job/{name}/{version}/redeploy", tag = "jobs", params(JobAddress),
    responses((status = 200, body = Nothing), (status = 409, description = "it is being deployed, or was changed meanwhile"),
        (status = 500, description = "it did not come up")))]
pub(crate) async fn redeploy(
    State(app): State<App>,
    caller: Caller,
    JobPath(record): JobPath,
) -> Result<Json<()>, RequestError> {
    again::redeploy(&app, &record, caller.name().as_deref()).await.map(Json)
}

/// Deploys a job again from the images it has; answers when it is up
#[utoipa::path(post, path = "/job/{name}/{version}/reprovision", tag = "jobs", params(JobAddress),
    responses((status = 200, body = Nothing), (status = 409, description = "it is being deployed, or was changed meanwhile"),
        (status = 500, description = "it did not come up")))]
pub(crate) async fn reprovision(
    State(app): State<App>,
    caller: Caller,
    JobPath(record): JobPath,
) -> Result<Json<()>, RequestError> {
    again::reprovision(&app, &record, caller.name().as_deref()).await.map(Json)
}

/// Moves a job to another infrastructure target; answers when it is up there
#[utoipa::path(post, path = "/job/{name}/{version}/move", tag = "jobs", params(JobAddress),
    request_body = Move,
    responses((status = 200, body = Nothing), (status = 409, description = "it is being deployed, or was changed meanwhile"),
        (status = 500, description = "it did not come up there")))]
pub(crate) async fn move_job(
    State(app): State<App>,
    caller: Caller,
    JobPath(record): JobPath,
    JsonBody(Move { infrastructure_target }): JsonBody<Move>,
) -> Result<Json<()>, RequestError> {
    again::move_job(&app, &record, &infrastructure_target, caller.name().as_deref()).await.map(Json)
}

/// Changes the manifest that a job is redeployed with
#[utoipa::path(put, path = "/job/{name}/{version}/manifest", tag = "jobs", params(JobAddress),
    request_body = ManifestText, responses((status = 200, body = Nothing)))]
pub(crate) async fn put_manifest(
    State(app): State<App>,
    JobPath(record): JobPath,
    JsonBody(ManifestText { manifest_yaml }): JsonBody<ManifestText>,
) -> Result<Json<()>, RequestError> {
    let read = read_manifest(manifest_yaml).await?;
    check_variables(&read.manifest)?;
    let (name, version) = (&record.job.name, &record.job.version);
    if &read.manifest.name != name {
        return Err(ApiError::invalid("validating manifest: job name cannot be changed").into());
    }
    if &read.manifest.version != version {
        return Err(ApiError::invalid("validating manifest: job version cannot be changed").into());
    }
    app.store.update_job(name, version, |record| record.job.manifest_yaml = Some(read.yaml)).await?;
    Ok(Json(()))
}

/// Lists the paths of a job that anybody may call
#[utoipa::path(get, path = "/job/{name}/{version}/public-endpoints", tag = "jobs", params(JobAddress),
    responses((status = 200, body = Vec<PublicEndpointSchema>)))]
pub(crate) async fn public_endpoints(
    State(app): State<App>,
    JobPath(record): JobPath,
) -> Result<Json<Vec<PublicEndpoint>>, RequestError> {
    let access = app.store.access().await?;
    let endpoints = access.public_endpoints(&record.job.name, &record.job.version).iter();
    Ok(Json(endpoints.filter(|endpoint| endpoint.is_active).cloned().collect()))
}

/// Opens a path to anybody, or closes it; the manifest of the job has to list it among its public endpoints
///
/// It is opened by a caller who may call it.
#[utoipa::path(put, path = "/job/{name}/{version}/public-endpoints", tag = "jobs", params(JobAddress),
    request_body = EndpointState,
    responses((status = 200, body = Nothing), (status = 404, description = "there is no such job, or its manifest does not list the path")))]
pub(crate) async fn put_public_endpoint(
    State(app): State<App>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
    JsonBody(EndpointState { endpoint, active }): JsonBody<EndpointState>,
) -> Result<Json<()>, RequestError> {
    let record = app.store.resolve_job(&name, &version).await?;
    if active {
        // What begins like the endpoint is opened, too.
        check_giver(&caller, &Permission::for_job(Scope::CallJob, &name, &record.job.version))?;
    }
    app.store.set_public_endpoint(&name, &record.job.version, &endpoint, active).await?;
    Ok(Json(()))
}
