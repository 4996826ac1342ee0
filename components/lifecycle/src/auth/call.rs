//! Who may call which endpoint of which job.

use std::sync::Arc;

use axum::http::HeaderMap;
use racetrack_service::ApiError;
use racetrack_store::{AccessRequest, JobRecord, Scope};

use crate::App;
use crate::api_error::{in_maintenance, store_error};

/// Endpoints of every job that are open to all: they tell how the job does.
const OPEN_ENDPOINTS: [&str; 3] = ["/health", "/live", "/ready"];

/// A call that is allowed.
#[derive(Clone, Debug)]
pub(crate) struct AllowedCall {
    /// The job that is meant.
    pub(crate) record: Arc<JobRecord>,
    /// Who calls: `User admin`. Empty when nobody was asked.
    pub(crate) caller: String,
}

/// Whether a request with these headers may call the endpoint at `path` of a job. The version may be an alias.
///
/// # Errors
/// 401, 404 when there is no such job, 503 during maintenance.
pub(crate) async fn may_call(
    app: &App,
    headers: &HeaderMap,
    name: &str,
    version: &str,
    path: &str,
) -> Result<AllowedCall, ApiError> {
    if app.store.is_in_maintenance().await.map_err(store_error)? {
        return Err(in_maintenance());
    }
    let jobs = app.store.jobs().await.map_err(store_error)?;
    let access = app.store.access().await.map_err(store_error)?;
    let authenticated = app.authenticator.authenticate(headers, &access);
    let record = match jobs.resolve(name, version) {
        Ok(record) => Arc::clone(record),
        // Who is nobody learns nothing of which jobs there are.
        Err(missing) => {
            return Err(authenticated.err().unwrap_or_else(|| ApiError::not_found(missing.to_string())));
        }
    };
    let job = &record.job;
    let endpoint = format!("/{}", path.trim_matches('/'));
    let is_open =
        OPEN_ENDPOINTS.contains(&endpoint.as_str()) || access.is_public(&job.name, &job.version, path);
    let caller = match authenticated {
        Ok(caller) => caller,
        Err(_) if is_open => return Ok(AllowedCall { record, caller: String::new() }),
        Err(error) => return Err(error),
    };
    let request = AccessRequest::endpoint(Scope::CallJob, &job.name, &job.version, &endpoint);
    if !is_open && !caller.may(&request) {
        return Err(ApiError::unauthorized(format!(
            "Unauthorized: {} has no permission with scope {} for endpoint {endpoint} of job {} {}",
            caller.description(),
            Scope::CallJob,
            job.name,
            job.version
        )));
    }
    let caller = caller.description();
    Ok(AllowedCall { record, caller })
}
