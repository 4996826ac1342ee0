//! Adds to the audit trail.

use racetrack_core::error::chain;
use racetrack_store::{AuditEventType, NewAuditEvent};

use crate::App;

/// Adds an event. What was done stays done when that fails; the log has the event then.
pub(crate) async fn add(app: &App, event: &NewAuditEvent) {
    if let Err(error) = app.store.add_audit_event(event).await {
        tracing::error!(?event, error = chain(&error), "an audit event is not kept");
    }
}

/// Something that `executor` did to a version of a job.
pub(crate) fn about_job(
    event_type: AuditEventType,
    executor: Option<&str>,
    (name, version): (&str, &str),
) -> NewAuditEvent {
    let mut event = NewAuditEvent::new(event_type);
    event.username_executor = executor.map(str::to_owned);
    event.job_name = Some(name.to_owned());
    event.job_version = Some(version.to_owned());
    event
}
