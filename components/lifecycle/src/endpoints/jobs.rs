//! All jobs at once: as a list, as families, as a graph, and as candidates for deletion.

use std::convert::Infallible;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use racetrack_service::ApiError;
use racetrack_store::{AccessRequest, JobFamily, JobRecord, JobTable, Scope};
use serde_json::Value;

use crate::App;
use crate::auth::Caller;
use crate::clock::seconds_since_1970;
use crate::document::schemas::{JobFamilySchema, Nothing};
use crate::jobs::JobView;
use crate::jobs::graph::{JobGraph, job_graph};
use crate::jobs::portfolio::{PortfolioEntry, portfolio_entry};
use crate::json_list::json_list;
use crate::monitor;
use crate::request_error::RequestError;

/// Lists the jobs that the caller may read, by name and version
#[utoipa::path(get, path = "/job", tag = "jobs", responses((status = 200, body = Vec<JobView<'static>>)))]
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Result<Response, RequestError> {
    let jobs = app.store.jobs().await?;
    let list = app.rendered_jobs.list(&jobs, |record| may_read(&caller, record));
    Ok(json_list(stream::iter(list.into_iter().map(Ok::<_, Infallible>)))
        .await
        .unwrap_or_else(|error| match error {}))
}

/// Lists the job families that the caller may read
#[utoipa::path(get, path = "/job_family", tag = "jobs", responses((status = 200, body = Vec<JobFamilySchema>)))]
pub(crate) async fn families(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Vec<JobFamily>>, RequestError> {
    readable_families(&app, &caller).await.map(Json)
}

/// Shows which ESCs and job families may call which job families
#[utoipa::path(get, path = "/job/graph", tag = "jobs", responses((status = 200, body = JobGraph)))]
pub(crate) async fn graph(State(app): State<App>, caller: Caller) -> Result<Json<JobGraph>, RequestError> {
    let families = readable_families(&app, &caller).await?;
    let escs = app.store.escs().await?;
    let access = app.store.access().await?;
    let is_whole = caller.may(&AccessRequest::everywhere(Scope::ReadJob));
    Ok(Json(job_graph(&escs, &families, &access, is_whole)))
}

/// Lists the jobs with what speaks for deleting them
#[utoipa::path(get, path = "/job/portfolio", tag = "jobs",
    responses((status = 200, body = Vec<PortfolioEntry<'static>>)))]
pub(crate) async fn portfolio(State(app): State<App>, caller: Caller) -> Result<Json<Value>, RequestError> {
    let jobs = app.store.jobs().await?;
    let now = seconds_since_1970();
    let readable = jobs.as_slice().iter().filter(|record| may_read(&caller, record));
    let entries: Vec<_> = readable.map(|record| portfolio_entry(record, &jobs, now)).collect();
    Ok(serde_json::to_value(entries).map(Json).map_err(ApiError::internal)?)
}

/// Starts every lost job again on its infrastructure target
#[utoipa::path(post, path = "/job/all/reconcile", tag = "jobs", responses((status = 200, body = Nothing)))]
pub(crate) async fn reconcile(State(app): State<App>, caller: Caller) -> Result<Json<()>, RequestError> {
    Ok(Json(monitor::reconcile(&app, caller.name().as_deref()).await?))
}

pub(super) fn may_read(caller: &Caller, record: &JobRecord) -> bool {
    caller.may(&AccessRequest::job(Scope::ReadJob, &record.job.name, &record.job.version))
}

/// The families of which the caller may read a job, or all jobs to come.
async fn readable_families(app: &App, caller: &Caller) -> Result<Vec<JobFamily>, RequestError> {
    let jobs = app.store.jobs().await?;
    let mut families = app.store.job_families().await?;
    families.retain(|family| {
        caller.may(&AccessRequest::family(Scope::ReadJob, &family.name))
            || JobTable::versions(&jobs, &family.name).iter().any(|record| may_read(caller, record))
    });
    Ok(families)
}
