//! Whether a caller may do something, for those who act on behalf of others.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use racetrack_core::Job;
use racetrack_service::ApiError;
use racetrack_service::extract::Path;
use racetrack_store::{AccessRequest, JobRecord, Permission, Scope, Subject};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::auth::{Caller, check_giver, may_call, missing_scope};
use crate::document::schemas::{Nothing, ScopeName};
use crate::jobs::JobView;
use crate::request_error::RequestError;

/// A job, and what somebody wants to do with it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct WantedScope {
    /// The name of the job.
    name: String,
    /// Its version: exact, `latest`, or a wildcard such as `2.x`.
    version: String,
    /// The scope.
    #[param(value_type = ScopeName, inline)]
    scope: Scope,
}

/// An endpoint of a job, and what somebody wants to do with it.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct WantedEndpointScope {
    /// The name of the job.
    name: String,
    /// Its version: exact, `latest`, or a wildcard such as `2.x`.
    version: String,
    /// The scope.
    #[param(value_type = ScopeName, inline)]
    scope: Scope,
    /// The path of the endpoint.
    path: String,
}

/// A call that is allowed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallView {
    /// The job.
    #[schema(value_type = JobView<'static>)]
    job: Value,
    /// Who calls, as the job is told: `User admin`; empty when nobody has to say.
    caller: String,
    /// The gateway that the call goes through.
    remote_gateway_url: Option<String>,
    /// Always null: what the gateway asks for is no caller's business.
    remote_gateway_token: Option<String>,
}

/// Tells whether the caller may call an endpoint of a job
#[utoipa::path(get, path = "/auth/can-call-job/{name}/{version}/{path}", tag = "auth",
    params(("name" = String, Path), ("version" = String, Path), ("path" = String, Path)),
    responses((status = 200, body = CallView), (status = 401, description = "no")))]
pub(crate) async fn can_call_job(
    State(app): State<App>,
    headers: HeaderMap,
    Path((name, version, path)): Path<(String, String, String)>,
) -> Result<Json<CallView>, RequestError> {
    allowed_call(&app, &headers, &name, &version, &path).await
}

/// Tells whether the caller may call the front page of a job
#[utoipa::path(get, path = "/auth/can-call-job/{name}/{version}/", tag = "auth",
    params(("name" = String, Path), ("version" = String, Path)), responses((status = 200, body = CallView)))]
pub(crate) async fn can_call_front_page(
    State(app): State<App>,
    headers: HeaderMap,
    Path((name, version)): Path<(String, String)>,
) -> Result<Json<CallView>, RequestError> {
    allowed_call(&app, &headers, &name, &version, "").await
}

/// Tells by the status whether the caller has a scope for a job
#[utoipa::path(get, path = "/auth/allowed/job/{name}/{version}/scope/{scope}", tag = "auth", params(WantedScope),
    responses((status = 202, description = "yes; the body is empty", body = String, content_type = "text/plain"),
        (status = 401, description = "no"), (status = 404, description = "there is no such job")))]
pub(crate) async fn allowed_job(
    State(app): State<App>,
    caller: Caller,
    Path(WantedScope { name, version, scope }): Path<WantedScope>,
) -> Result<(StatusCode, &'static str), RequestError> {
    let record = app.store.resolve_job(&name, &version).await?;
    let version = &record.job.version;
    Ok(answer(&caller, &AccessRequest::job(scope, &name, version), scope, &format!("job {name} {version}"))?)
}

/// Tells by the status whether the caller has a scope for an endpoint of a job
#[utoipa::path(get, path = "/auth/allowed/job_endpoint/{name}/{version}/scope/{scope}/endpoint/{path}", tag = "auth",
    params(WantedEndpointScope),
    responses((status = 202, description = "yes; the body is empty", body = String, content_type = "text/plain"),
        (status = 401, description = "no"), (status = 404, description = "there is no such job")))]
pub(crate) async fn allowed_endpoint(
    State(app): State<App>,
    caller: Caller,
    Path(WantedEndpointScope { name, version, scope, path }): Path<WantedEndpointScope>,
) -> Result<(StatusCode, &'static str), RequestError> {
    let record = app.store.resolve_job(&name, &version).await?;
    let version = &record.job.version;
    let what = format!("endpoint /{} of job {name} {version}", path.trim_matches('/'));
    Ok(answer(&caller, &AccessRequest::endpoint(scope, &name, version, &path), scope, &what)?)
}

/// Gives an ESC a scope for every version of a job, which the caller has
#[utoipa::path(post, path = "/auth/allow/esc/{id}/job/{name}/scope/{scope}", tag = "auth",
    params(("id" = String, Path), ("name" = String, Path), ("scope" = inline(ScopeName), Path)),
    responses((status = 200, body = Nothing), (status = 404, description = "there is no such subject or job family")))]
pub(crate) async fn allow_esc(
    State(app): State<App>,
    caller: Caller,
    Path((id, name, scope)): Path<(String, String, Scope)>,
) -> Result<Json<()>, RequestError> {
    allow(&app, &caller, &Subject::esc(&id), &name, scope).await
}

/// Gives the jobs of a family a scope for every version of a job, which the caller has
#[utoipa::path(post, path = "/auth/allow/job_family/{source}/job/{name}/scope/{scope}", tag = "auth",
    params(("source" = String, Path), ("name" = String, Path), ("scope" = inline(ScopeName), Path)),
    responses((status = 200, body = Nothing), (status = 404, description = "there is no such subject or job family")))]
pub(crate) async fn allow_job_family(
    State(app): State<App>,
    caller: Caller,
    Path((source, name, scope)): Path<(String, String, Scope)>,
) -> Result<Json<()>, RequestError> {
    allow(&app, &caller, &Subject::job_family(&source), &name, scope).await
}

async fn allowed_call(
    app: &App,
    headers: &HeaderMap,
    name: &str,
    version: &str,
    path: &str,
) -> Result<Json<CallView>, RequestError> {
    let call = may_call(&app.store, &app.authenticator, headers, (name, version), path).await?;
    let record = match (call.may_read, call.is_known) {
        (true, _) => JobRecord::clone(&call.record),
        (false, true) => address_of(&call.record),
        // What everybody may call, everybody calls by the proxy of jobs.
        (false, false) => without_address(&call.record),
    };
    let job = serde_json::to_value(JobView::from(&record)).map_err(ApiError::internal)?;
    let offers = app.offers();
    let target = call.record.job.infrastructure_target.as_deref().map(|name| offers.target(name));
    // Of a target that went with its plugin, no gateway is known.
    let target = target.and_then(Result::ok);
    let target = target.filter(|_| call.is_known);
    let remote_gateway_url = target.and_then(|offer| offer.item.remote_gateway_url.clone());
    Ok(Json(CallView { job, caller: call.caller, remote_gateway_url, remote_gateway_token: None }))
}

/// A job with no more than what its caller knows.
fn without_address(record: &JobRecord) -> JobRecord {
    let Job { name, version, status, create_time, .. } = &record.job;
    JobRecord::new(&record.id, Job::new(name, version, *status, *create_time))
}

/// A job with no more than what it takes to call it: that is for those who may call it, and not read it.
fn address_of(record: &JobRecord) -> JobRecord {
    let Job { name, version, status, create_time, .. } = &record.job;
    let mut job = Job::new(name, version, *status, *create_time);
    job.internal_name.clone_from(&record.job.internal_name);
    job.replica_internal_names.clone_from(&record.job.replica_internal_names);
    job.infrastructure_target.clone_from(&record.job.infrastructure_target);
    JobRecord::new(&record.id, job)
}

/// The body is empty, and typed as text: without a type, clients in use take it for a broken answer.
fn answer(
    caller: &Caller,
    request: &AccessRequest<'_>,
    scope: Scope,
    what: &str,
) -> Result<(StatusCode, &'static str), ApiError> {
    if caller.may(request) {
        Ok((StatusCode::ACCEPTED, ""))
    } else {
        Err(missing_scope(caller, scope, &format!(" for {what}")))
    }
}

async fn allow(
    app: &App,
    caller: &Caller,
    subject: &Subject,
    name: &str,
    scope: Scope,
) -> Result<Json<()>, RequestError> {
    let permission = Permission::for_family(scope, name);
    check_giver(caller, &permission)?;
    Ok(Json(app.store.grant(subject, &[permission]).await?))
}
