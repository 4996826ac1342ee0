//! Refusals of callers who are known: they lack a scope, and learn nothing of what they have no right to.

use racetrack_service::ApiError;
use racetrack_store::{AccessRequest, Scope};

use super::Caller;
use crate::request_error::RequestError;

/// 401 to a caller who lacks the scope for `what`: ` for job adder 1.0.0`.
pub(crate) fn missing_scope(caller: &Caller, scope: Scope, what: &str) -> ApiError {
    let caller = caller.description();
    refused(&format!("{caller} has no permission with scope {scope}{what}"))
}

/// 401 to a caller who is known.
pub(crate) fn refused(reason: &str) -> ApiError {
    ApiError::unauthorized(format!("Unauthorized: {reason}"))
}

/// Checks the scope for a version that the caller asked for by this text. A refusal repeats the text: which version `latest`
/// is, the caller may not know.
pub(super) fn check_scope_of(
    caller: &Caller,
    scope: Scope,
    (name, version): (&str, &str),
    asked: &str,
) -> Result<(), ApiError> {
    if caller.may(&AccessRequest::job(scope, name, version)) {
        return Ok(());
    }
    Err(missing_scope(caller, scope, &format!(" for job {name} {asked}")))
}

/// What is there, or that it is not; whoever has no right to it hears the same in both cases.
pub(super) fn shown_to<T>(
    caller: &Caller,
    scope: Scope,
    (name, asked): (&str, &str),
    found: Result<T, RequestError>,
) -> Result<T, RequestError> {
    if found.is_err() {
        check_scope_of(caller, scope, (name, asked), asked)?;
    }
    found
}
