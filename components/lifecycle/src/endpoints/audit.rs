//! The audit trail: who did what to which job.

use axum::Json;
use axum::extract::State;
use racetrack_service::ApiError;
use racetrack_service::extract::{Path, Query};
use racetrack_store::{AuditEvent, AuditFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::account::own_name;
use crate::App;
use crate::audit::{explanation, time_ago};
use crate::auth::Caller;
use crate::clock::seconds_since_1970;
use crate::document::schemas::AuditEventSchema;
use crate::request_error::RequestError;
use crate::visibility;

/// How many events are listed at most.
const LIMIT: u32 = 100;

/// Which events to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ActivityFilter {
    /// Only those about this job.
    #[serde(default)]
    job_name: String,
    /// Only those about this version.
    #[serde(default)]
    job_version: String,
    /// Only those of what the caller did, or what was done to the caller: `true`, `yes` or `1`.
    #[serde(default)]
    related_to_me: String,
}

/// Events, and which were asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Activity {
    filter_job_name: String,
    filter_job_version: String,
    filter_related_to_me: bool,
    events: Vec<ExplainedEvent>,
}

/// An event in words.
#[derive(Debug, Serialize, ToSchema)]
struct ExplainedEvent {
    #[serde(flatten)]
    #[schema(value_type = AuditEventSchema)]
    event: AuditEvent,
    explanation: String,
    time_ago: String,
}

/// Tells what was done lately, in words
#[utoipa::path(get, path = "/audit/activity", tag = "audit", params(ActivityFilter),
    responses((status = 200, body = Activity)))]
pub(crate) async fn activity(
    State(app): State<App>,
    caller: Caller,
    Query(ActivityFilter { job_name, job_version, related_to_me }): Query<ActivityFilter>,
) -> Result<Json<Activity>, RequestError> {
    let filter_related_to_me = ["true", "yes", "1"].contains(&related_to_me.to_ascii_lowercase().as_str());
    let filter = AuditFilter {
        job_name: Some(job_name.clone()),
        job_version: Some(job_version.clone()),
        related_to: filter_related_to_me.then(|| own_name(&caller).map(str::to_owned)).transpose()?,
    };
    let Json(events) = found(&app, &caller, filter).await?;
    let now = seconds_since_1970();
    let explained = events.into_iter().map(|event| ExplainedEvent {
        explanation: explanation(&event),
        time_ago: time_ago(now - event.timestamp),
        event,
    });
    Ok(Json(Activity {
        filter_job_name: job_name,
        filter_job_version: job_version,
        filter_related_to_me,
        events: explained.collect(),
    }))
}

/// Lists what the caller did, and what was done to the caller
#[utoipa::path(get, path = "/audit/user_events", tag = "audit", responses((status = 200, body = Vec<AuditEventSchema>)))]
pub(crate) async fn own_events(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Vec<AuditEvent>>, RequestError> {
    found(&app, &caller, own(&caller, None, None)?).await
}

/// Lists what the caller did to a job
#[utoipa::path(get, path = "/audit/user_events/job/{name}", tag = "audit", params(("name" = String, Path)),
    responses((status = 200, body = Vec<AuditEventSchema>)))]
pub(crate) async fn own_events_of_family(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<Vec<AuditEvent>>, RequestError> {
    found(&app, &caller, own(&caller, Some(name), None)?).await
}

/// Lists what the caller did to a version of a job
#[utoipa::path(get, path = "/audit/user_events/job/{name}/{version}", tag = "audit",
    params(("name" = String, Path), ("version" = String, Path)), responses((status = 200, body = Vec<AuditEventSchema>)))]
pub(crate) async fn own_events_of_job(
    State(app): State<App>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<Vec<AuditEvent>>, RequestError> {
    found(&app, &caller, own(&caller, Some(name), Some(version))?).await
}

/// Lists what anybody did
#[utoipa::path(get, path = "/audit/events", tag = "audit", responses((status = 200, body = Vec<AuditEventSchema>)))]
pub(crate) async fn events(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<Vec<AuditEvent>>, RequestError> {
    found(&app, &caller, AuditFilter::default()).await
}

/// Lists what anybody did to a job
#[utoipa::path(get, path = "/audit/events/job/{name}", tag = "audit", params(("name" = String, Path)),
    responses((status = 200, body = Vec<AuditEventSchema>)))]
pub(crate) async fn events_of_family(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<Vec<AuditEvent>>, RequestError> {
    found(&app, &caller, AuditFilter { job_name: Some(name), ..AuditFilter::default() }).await
}

/// Lists what anybody did to a version of a job
#[utoipa::path(get, path = "/audit/events/job/{name}/{version}", tag = "audit",
    params(("name" = String, Path), ("version" = String, Path)), responses((status = 200, body = Vec<AuditEventSchema>)))]
pub(crate) async fn events_of_job(
    State(app): State<App>,
    caller: Caller,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<Vec<AuditEvent>>, RequestError> {
    let filter = AuditFilter { job_name: Some(name), job_version: Some(version), ..AuditFilter::default() };
    found(&app, &caller, filter).await
}

fn own(
    caller: &Caller,
    job_name: Option<String>,
    job_version: Option<String>,
) -> Result<AuditFilter, ApiError> {
    Ok(AuditFilter { job_name, job_version, related_to: Some(own_name(caller)?.to_owned()) })
}

/// Those that the caller may see, the newest first.
async fn found(
    app: &App,
    caller: &Caller,
    filter: AuditFilter,
) -> Result<Json<Vec<AuditEvent>>, RequestError> {
    let visibility = visibility::of(app, caller).await?;
    Ok(Json(app.store.audit_events(&filter, &visibility, LIMIT).await?))
}
