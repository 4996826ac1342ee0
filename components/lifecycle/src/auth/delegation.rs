//! What one caller gives to another, or shows of another: no more than the caller has.

use racetrack_service::ApiError;
use racetrack_store::{AccessTable, Permission, Subject, SubjectKind};

use super::Caller;
use super::refusal::refused;

/// Refuses to give away a permission that the caller does not have.
///
/// # Errors
/// 401 with the permission.
pub(crate) fn check_giver(caller: &Caller, permission: &Permission) -> Result<(), ApiError> {
    if caller.holds(permission) {
        return Ok(());
    }
    let scope = permission.scope;
    Err(refused(&format!("nobody gives away {scope}{} without having it", filters(permission))))
}

/// Refuses to act for a subject that may do what the caller may not: to show its token, or to let it in.
///
/// # Errors
/// 401 with the permission that the caller lacks.
pub(crate) fn check_covers(caller: &Caller, access: &AccessTable, subject: &Subject) -> Result<(), ApiError> {
    let lacking = access.permissions_of(subject).iter().find(|permission| !caller.holds(permission));
    let Some(lacking) = lacking else { return Ok(()) };
    let what = match subject.kind {
        SubjectKind::User => "user",
        SubjectKind::Esc => "ESC",
        SubjectKind::JobFamily => "job family",
        SubjectKind::Internal => "part of Racetrack",
    };
    let (name, scope, caller) = (&subject.name, lacking.scope, caller.description());
    Err(refused(&format!("{what} {name} has {scope}{}, which {caller} does not have", filters(lacking))))
}

/// For what a permission is: ` for job adder 1.0.0`. Nothing for all jobs.
fn filters(permission: &Permission) -> String {
    let Permission { job_family, job, endpoint, .. } = permission;
    let job = match (job, job_family) {
        (Some(job), _) => format!(" for job {} {}", job.name, job.version),
        (None, Some(family)) => format!(" for job {family}"),
        (None, None) => String::new(),
    };
    let endpoint = endpoint.as_deref().map(|endpoint| format!(" at endpoint {endpoint}")).unwrap_or_default();
    job + &endpoint
}
