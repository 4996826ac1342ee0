//! What a route asks of its caller, and the one place where that is checked.

use std::sync::Arc;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use racetrack_core::Job;
use racetrack_service::ApiError;
use racetrack_store::{AccessRequest, JobRecord, Scope, StoreError};

use super::refusal::{check_scope_of, missing_scope, refused, shown_to};
use super::{BuildPath, Caller, Credential, JobPath};
use crate::App;
use crate::request_error::{RequestError, in_maintenance};

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Open,
    /// A token that is good. Never enough for a route that is about jobs.
    Authenticated,
    /// The token of a user.
    User,
    /// The token of an administrator.
    Staff,
    /// The token of an administrator who has the scope for everything: what answers is not told who asks.
    StaffWith(Scope),
    /// The token of a part of Racetrack.
    Internal,
    /// The scope, for some job at least: the answer shows only what the caller may see.
    Anywhere(Scope),
    /// The scope for everything.
    Everywhere(Scope),
    /// The scope for the job that `{name}` and `{version}` of the path mean; the version may be an alias.
    Job(Scope),
    /// The same, for a build: also of a version that never came up or is gone, if the path names it exactly.
    Build(Scope),
    /// A token that is good. The answer shows what is about jobs for which the caller has the scope, and what the caller did.
    Filtered(Scope),
    /// The token of a user, and otherwise the same.
    FilteredForUsers(Scope),
    /// A token that is good. What else it needs, the manifest in the body says: the scope `deploy_job` for the version, or
    /// `deploy_new_family` for the first one of a family.
    Manifest,
    /// A token that is good, in the header or, as browsers can, as a subprotocol of the WebSocket. What comes tells nothing of
    /// any job.
    Listen,
    /// Nothing to connect. For each log that is followed on the connection, the scope `read_job` for its job, as the setting
    /// `live-logs` says.
    Follow,
    /// A token that is good; the handler asks for more.
    Handler,
    /// What the endpoint asks for that `{name}`, `{version}` and `{path}` mean: nothing where anybody may call it,
    /// otherwise the scope `call_job` for it.
    Call,
}

/// A route's access, and whether the route is closed during maintenance.
#[derive(Clone)]
pub(crate) struct Guard {
    pub(crate) app: App,
    pub(crate) access: Access,
    pub(crate) is_closed_in_maintenance: bool,
}

/// Lets a request through to its handler, with its [`Caller`], if the caller may do this.
pub(crate) async fn authorize(
    State(guard): State<Guard>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Result<Response, RequestError> {
    let Guard { app, access, is_closed_in_maintenance } = guard;
    let parameters = parameters.map_err(|rejection| ApiError::invalid(rejection.body_text()))?;
    if !matches!(access, Access::Open | Access::Call | Access::Follow) {
        let caller = caller(&app, access, &parameters, &mut request).await?;
        request.extensions_mut().insert(caller);
    }
    if is_closed_in_maintenance && app.store.is_in_maintenance().await? {
        return Err(in_maintenance().into());
    }
    Ok(next.run(request).await)
}

/// Who has one of these somewhere may deploy something.
const DEPLOYING: [Scope; 2] = [Scope::DeployJob, Scope::DeployNewFamily];

async fn caller(
    app: &App,
    access: Access,
    parameters: &RawPathParams,
    request: &mut Request,
) -> Result<Caller, RequestError> {
    let table = app.store.access().await?;
    let caller = match access {
        Access::Listen => {
            let credential = Credential::of_websocket(request.headers());
            app.authenticator.authenticate_credential(&credential, &table)?
        }
        _ => app.authenticator.authenticate(request.headers(), &table)?,
    };
    match access {
        Access::Open
        | Access::Call
        | Access::Follow
        | Access::Authenticated
        | Access::Filtered(_)
        | Access::Listen
        | Access::Handler => {}
        Access::User | Access::FilteredForUsers(_) => {
            user(&caller)?;
        }
        Access::Staff => {
            staff(app, &caller).await?;
        }
        Access::StaffWith(scope) => {
            staff(app, &caller).await?;
            if !caller.may(&AccessRequest::everywhere(scope)) {
                return Err(missing_scope(&caller, scope, " for all jobs").into());
            }
        }
        Access::Internal if caller.is_internal() => {}
        Access::Internal => return Err(refused("this is for parts of Racetrack").into()),
        Access::Anywhere(scope) if caller.may_anywhere(scope) => {}
        Access::Everywhere(scope) if caller.may(&AccessRequest::everywhere(scope)) => {}
        Access::Anywhere(scope) | Access::Everywhere(scope) => {
            return Err(missing_scope(&caller, scope, "").into());
        }
        Access::Manifest if DEPLOYING.into_iter().any(|scope| caller.may_anywhere(scope)) => {}
        // Before the body, which may be large, is read.
        Access::Manifest => return Err(missing_scope(&caller, Scope::DeployJob, "").into()),
        Access::Job(scope) => {
            let (name, version) = address(parameters)?;
            let record = shown_to(&caller, scope, (name, version), job(app, parameters).await)?;
            check_scope_of(&caller, scope, (name, &record.job.version), version)?;
            request.extensions_mut().insert(JobPath(record));
        }
        Access::Build(scope) => {
            let (name, version) = address(parameters)?;
            let path = shown_to(&caller, scope, (name, version), build(app, parameters).await)?;
            check_scope_of(&caller, scope, (name, &path.version), version)?;
            request.extensions_mut().insert(path);
        }
    }
    Ok(caller)
}

/// The name of the user who calls; of nobody in particular when nobody is asked.
fn user(caller: &Caller) -> Result<Option<&str>, ApiError> {
    if caller.is_anybody() || caller.username().is_some() {
        return Ok(caller.username());
    }
    Err(refused("this is for users"))
}

async fn staff(app: &App, caller: &Caller) -> Result<(), RequestError> {
    let Some(username) = user(caller)? else { return Ok(()) };
    let user = app.store.user(username).await?;
    if user.is_staff { Ok(()) } else { Err(refused("this is for administrators").into()) }
}

fn address(parameters: &RawPathParams) -> Result<(&str, &str), ApiError> {
    Ok((parameter(parameters, "name")?, parameter(parameters, "version")?))
}

/// The job that the path means.
async fn job(app: &App, parameters: &RawPathParams) -> Result<Arc<JobRecord>, RequestError> {
    let (name, version) = address(parameters)?;
    Ok(app.store.resolve_job(name, version).await?)
}

/// The version that the path means: of a job, or else of a deployment.
async fn build(app: &App, parameters: &RawPathParams) -> Result<BuildPath, RequestError> {
    let (name, version) = address(parameters)?;
    let missing = match app.store.resolve_job(name, version).await {
        Ok(record) => {
            let Job { name, version, .. } = &record.job;
            return Ok(BuildPath { name: name.clone(), version: version.clone() });
        }
        Err(StoreError::NotFound(missing)) => missing,
        Err(error) => return Err(error.into()),
    };
    let deployment = app.store.latest_deployment(name, version).await?;
    let deployment = deployment.ok_or(missing)?;
    Ok(BuildPath { name: deployment.job_name, version: deployment.job_version })
}

fn parameter<'a>(parameters: &'a RawPathParams, wanted: &str) -> Result<&'a str, ApiError> {
    let value = parameters.iter().find_map(|(name, value)| (name == wanted).then_some(value));
    value.ok_or_else(|| ApiError::internal(format!("a route about a job has no `{wanted}`")))
}
