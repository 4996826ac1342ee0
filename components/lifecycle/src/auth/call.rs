//! Who may call which endpoint of a job: the rule of the job proxy, and of whoever asks on behalf of another proxy.

use std::sync::Arc;

use axum::http::HeaderMap;
use racetrack_service::ApiError;
use racetrack_store::{AccessRequest, AccessTable, JobRecord, Scope, Store};

use super::refusal::missing_scope;
use super::{Authenticator, Caller};
use crate::request_error::{RequestError, in_maintenance};

/// What tells how a job does is open to all.
const PROBES: [&str; 3] = ["health", "live", "ready"];

/// A call that is allowed.
#[derive(Clone, Debug)]
pub(crate) struct AllowedCall {
    /// The job that is called.
    pub(crate) record: Arc<JobRecord>,
    /// The caller as the job is told: `User admin`. Empty when nobody has to say who calls.
    pub(crate) caller: String,
    /// Whether the caller is known.
    pub(crate) is_known: bool,
    /// Whether the caller may see the job, too.
    pub(crate) may_read: bool,
}

/// Whether whoever sent these headers may call the path of a job, whose version may be an alias: the probes and the
/// public endpoints of a job are for everybody, every other path is for callers with the scope `call_job` for it.
///
/// Answered from memory: the database is asked only after somebody changed what the answer depends on.
///
/// # Errors
/// 401 with the reason, 404 when there is no such job, 503 in maintenance. Who is unknown is not told which jobs there
/// are.
pub(crate) async fn may_call(
    store: &Store,
    authenticator: &Authenticator,
    headers: &HeaderMap,
    (name, version_or_alias): (&str, &str),
    path: &str,
) -> Result<AllowedCall, RequestError> {
    if store.is_in_maintenance().await? {
        return Err(in_maintenance().into());
    }
    let access = store.access().await?;
    let caller = authenticator.authenticate_call(headers, &access);
    let jobs = store.jobs().await?;
    let record = match jobs.resolve(name, version_or_alias) {
        Ok(record) => Arc::clone(record),
        // Whoever may not call it hears the same as of a job that is there.
        Err(missing) => {
            check_call(&caller?, (name, version_or_alias), version_or_alias, path)?;
            return Err(missing.into());
        }
    };
    let (name, version) = (&record.job.name, &record.job.version);
    let caller = allowed_caller(caller, &access, (name, version), (version_or_alias, path))?;
    let to_read = AccessRequest::job(Scope::ReadJob, name, version);
    let may_read = caller.as_ref().is_some_and(|caller| caller.may(&to_read));
    let is_known = caller.is_some();
    let caller = caller.map(|caller| caller.description()).unwrap_or_default();
    Ok(AllowedCall { record, caller, is_known, may_read })
}

/// The caller of a path of a version of a job, if the caller may call it: nobody in particular where everybody may and who
/// calls is unknown.
pub(super) fn allowed_caller(
    caller: Result<Caller, ApiError>,
    access: &AccessTable,
    (name, version): (&str, &str),
    (asked, path): (&str, &str),
) -> Result<Option<Caller>, ApiError> {
    if is_probe(path) || access.is_public(name, version, path) {
        return Ok(caller.ok());
    }
    let caller = caller?;
    check_call(&caller, (name, version), asked, path)?;
    Ok(Some(caller))
}

/// A refusal repeats the version as it was asked for: which one `latest` is, the caller may not know.
fn check_call(
    caller: &Caller,
    (name, version): (&str, &str),
    asked: &str,
    path: &str,
) -> Result<(), ApiError> {
    if caller.may(&AccessRequest::endpoint(Scope::CallJob, name, version, path)) {
        return Ok(());
    }
    let what = format!(" for endpoint /{} of job {name} {asked}", path.trim_matches('/'));
    Err(missing_scope(caller, Scope::CallJob, &what))
}

fn is_probe(path: &str) -> bool {
    PROBES.contains(&path.trim_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_are_told_from_paths_that_look_like_them() {
        for probe in ["/health", "/live/", "ready"] {
            assert!(is_probe(probe), "{probe}");
        }
        for other in ["", "/", "/healthy", "/live/x", "/x/live", "/live/../x", "/LIVE"] {
            assert!(!is_probe(other), "{other}");
        }
    }
}
