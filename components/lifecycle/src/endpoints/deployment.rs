//! Deployments: asking for one, and how they go.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream::{self, StreamExt};
use racetrack_core::Job;
use racetrack_service::ApiError;
use racetrack_service::extract::{Path, Query};
use racetrack_store::{Deployment, DeploymentStatus, JobRecord, Scope, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::auth::{Caller, missing_scope};
use crate::deployment::{self, DeployRequest};
use crate::document::schemas::{DeploymentSchema, Nothing};
use crate::extract::JsonBody;
use crate::jobs::JobView;
use crate::json_list::json_list;
use crate::request_error::RequestError;
use crate::visibility;

/// The id of a deployment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeploymentId {
    id: String,
}

/// A deployment with the job that it brought up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeploymentWithJob)]
pub(crate) struct DeploymentView<'a> {
    #[serde(flatten)]
    #[schema(value_type = DeploymentSchema)]
    deployment: &'a Deployment,
    job: Option<JobView<'a>>,
}

/// How many deployments to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Limit {
    /// The number of deployments.
    #[serde(default = "default_limit")]
    #[param(value_type = i64, minimum = 0, maximum = 4_294_967_295_i64)]
    limit: u32,
}

/// What is being done.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Phase {
    phase: String,
}

/// What the owner of a deployment should know, a line each.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Warnings {
    warnings: String,
}

/// Deploys a job
///
/// Answers as soon as the request is accepted; `GET /deploy/{id}` tells how it goes.
#[utoipa::path(post, path = "/deploy", tag = "deployments", request_body = DeployRequest,
    responses((status = 200, body = DeploymentId), (status = 404, description = "there is no such job"), (status = 409, description = "the version is there, or being deployed"),
        (status = 413, description = "the request is larger than `max-request-size`"),
        (status = 503, description = "too much is being deployed at once; `Retry-After` says when to come again")))]
pub(crate) async fn deploy(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<Json<DeploymentId>, RequestError> {
    let upload = app.uploads.receive(request).await.map_err(deployment::refused_upload)?;
    // The largest that is taken keeps a thread for some milliseconds.
    let parsed = tokio::task::spawn_blocking(move || DeployRequest::parse(upload)).await;
    let request = parsed.map_err(ApiError::internal)??;
    let deployment = deployment::begin(&app, &caller, request).await?;
    Ok(Json(DeploymentId { id: deployment.id }))
}

/// Lists deployments of jobs that the caller may read, and those that the caller asked for: those first that made progress last
#[utoipa::path(get, path = "/deploy", tag = "deployments", params(Limit),
    responses((status = 200, body = Vec<DeploymentView<'static>>)))]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(Limit { limit }): Query<Limit>,
) -> Result<Response, RequestError> {
    let visibility = visibility::of(&app, &caller).await?;
    let ids = app.store.visible_deployments(&visibility, limit).await?;
    // One after the other: each has a manifest.
    let views = stream::iter(ids).filter_map(move |id| {
        let app = app.clone();
        async move { view(&app, &id).await.map_err(ApiError::from).transpose() }
    });
    Ok(json_list(views).await?)
}

/// Tells how a deployment goes, with the job when it is done
#[utoipa::path(get, path = "/deploy/{id}", tag = "deployments", params(("id" = String, Path)),
    responses((status = 200, body = DeploymentView<'static>), (status = 401, description = "the caller neither asked for it nor may read its job"),
        (status = 404, description = "there is none of this id")))]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<serde_json::Value>, RequestError> {
    let deployment = app.store.deployment(&id).await?;
    let Deployment { job_name, job_version, deployed_by, create_time, .. } = &deployment;
    let visibility = visibility::of(&app, &caller).await?;
    if !visibility.shows(job_name, job_version, deployed_by.as_deref(), *create_time) {
        return Err(
            missing_scope(&caller, Scope::ReadJob, &format!(" for the job of deployment {id}")).into()
        );
    }
    let record =
        if deployment.status == DeploymentStatus::Done { job_of(&app, &deployment).await? } else { None };
    // Whoever asked for it may have no part in what the job is by now.
    let may_read = visibility.jobs.contains(job_name, job_version);
    let record = record.map(|record| if may_read { record } else { Arc::new(without_details(&record)) });
    let job = record.as_deref().map(JobView::from);
    Ok(serde_json::to_value(DeploymentView { deployment: &deployment, job })
        .map(Json)
        .map_err(ApiError::internal)?)
}

/// Says what is being done
#[utoipa::path(put, path = "/deploy/{id}/phase", tag = "deployments", params(("id" = String, Path)),
    request_body = Phase,
    responses((status = 200, body = Nothing), (status = 404, description = "there is none of this id"),
        (status = 409, description = "it is over")))]
pub(crate) async fn put_phase(
    State(app): State<App>,
    Path(id): Path<String>,
    JsonBody(Phase { phase }): JsonBody<Phase>,
) -> Result<Json<()>, RequestError> {
    Ok(Json(app.store.set_deployment_phase(&id, &phase).await?))
}

/// Adds to what the owner of the deployment should know
#[utoipa::path(put, path = "/deploy/{id}/warnings", tag = "deployments", params(("id" = String, Path)),
    request_body = Warnings,
    responses((status = 200, body = Nothing), (status = 404, description = "there is none of this id"),
        (status = 409, description = "it is over")))]
pub(crate) async fn put_warnings(
    State(app): State<App>,
    Path(id): Path<String>,
    JsonBody(Warnings { warnings }): JsonBody<Warnings>,
) -> Result<Json<()>, RequestError> {
    Ok(Json(app.store.add_deployment_warnings(&id, &warnings).await?))
}

/// Refuses to build without deploying
///
/// Images that are built here are folders of this machine: there is nothing another machine could run.
#[utoipa::path(post, path = "/build", tag = "deployments",
    responses((status = 501, description = "jobs are only built to be deployed")))]
pub(crate) async fn build() -> ApiError {
    ApiError::new(
        StatusCode::NOT_IMPLEMENTED,
        "NotImplementedError",
        "this server builds jobs only to deploy them; use `racetrack deploy` instead of `racetrack run-local`",
    )
}

/// A deployment as it is listed, unless it has been removed meanwhile.
async fn view(app: &App, id: &str) -> Result<Option<String>, RequestError> {
    let deployment = match app.store.deployment(id).await {
        Ok(deployment) => deployment,
        Err(StoreError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let view = DeploymentView { deployment: &deployment, job: None };
    Ok(serde_json::to_string(&view).map(Some).map_err(ApiError::internal)?)
}

/// A job with no more than its address, and how it does.
fn without_details(record: &JobRecord) -> JobRecord {
    let Job { name, version, status, create_time, pub_url, .. } = &record.job;
    let mut job = Job::new(name, version, *status, *create_time);
    job.pub_url.clone_from(pub_url);
    JobRecord::new(&record.id, job)
}

/// The job of a deployment, if it is still there.
async fn job_of(app: &App, deployment: &Deployment) -> Result<Option<Arc<JobRecord>>, RequestError> {
    match app.store.job(&deployment.job_name, &deployment.job_version).await {
        Ok(record) => Ok(Some(record)),
        Err(StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

const fn default_limit() -> u32 {
    100
}
