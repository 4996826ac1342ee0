//! The audit trail: adding to it, and telling it in words.

use racetrack_core::error::chain;
use racetrack_store::{AuditEvent, AuditEventType, NewAuditEvent};

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

/// The event, with what went wrong although it was done.
pub(crate) fn with_warnings(mut event: NewAuditEvent, warnings: Vec<String>) -> NewAuditEvent {
    if !warnings.is_empty() {
        event.properties.insert("warnings".to_owned(), warnings.into());
    }
    event
}

/// An event as a sentence without its period: `bob deployed job adder 1.0.0`.
pub(crate) fn explanation(event: &AuditEvent) -> String {
    let who = event.username_executor.as_deref().unwrap_or("somebody");
    let named = |name: &Option<String>, version: &Option<String>| {
        let texts = [name, version].map(|text| text.as_deref().unwrap_or_default());
        texts.join(" ").trim().to_owned()
    };
    let job = named(&event.job_name, &event.job_version);
    let whose = match &event.username_subject {
        Some(subject) if subject != who => format!(" of {subject}"),
        _ => String::new(),
    };
    let property = |name: &str| event.properties.get(name).and_then(|value| value.as_str()).unwrap_or("?");
    match event.event_type {
        AuditEventType::JobDeployed => format!("{who} deployed job {job}{whose}"),
        AuditEventType::JobRedeployed => format!("{who} redeployed job {job}{whose}"),
        AuditEventType::JobDeleted => format!("{who} deleted job {job}{whose}"),
        AuditEventType::JobMoved => {
            format!("{who} moved job {job}{whose} from {} to {}", property("from"), property("to"))
        }
        AuditEventType::DeploymentFailed => {
            let error = property("error").lines().next().unwrap_or_default();
            format!("{who} failed to deploy job {job}{whose}: {error}")
        }
        AuditEventType::PluginInstalled | AuditEventType::PluginUninstalled => {
            let done =
                if event.event_type == AuditEventType::PluginInstalled { "installed" } else { "uninstalled" };
            format!("{who} {done} plugin {} {}", property("plugin_name"), property("plugin_version"))
        }
    }
}

/// A time in the past by the seconds since then: `2 hours ago`.
pub(crate) fn time_ago(seconds: i64) -> String {
    const UNITS: [(&str, i64); 6] = [
        ("year", 31_536_000),
        ("month", 2_592_000),
        ("day", 86_400),
        ("hour", 3600),
        ("minute", 60),
        ("second", 1),
    ];
    let Some((unit, length)) = UNITS.into_iter().find(|(_, length)| seconds >= *length) else {
        return "just now".to_owned();
    };
    match seconds / length {
        1 => format!("1 {unit} ago"),
        count => format!("{count} {unit}s ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_told_in_the_largest_unit_that_fits() {
        for (seconds, expected) in [
            (-5, "just now"),
            (0, "just now"),
            (1, "1 second ago"),
            (59, "59 seconds ago"),
            (60, "1 minute ago"),
            (7199, "1 hour ago"),
            (2 * 86_400, "2 days ago"),
            (45 * 86_400, "1 month ago"),
            (800 * 86_400, "2 years ago"),
        ] {
            assert_eq!(time_ago(seconds), expected, "{seconds}");
        }
    }
}
