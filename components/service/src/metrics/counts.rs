//! Counts what happens.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use racetrack_core::Hook;
use racetrack_core::host::failure::{HookFailure, HookFailureCause};

use super::names::{
    CONNECTIONS, CONNECTIONS_CLOSED, HOOK_BLOCKED_THREADS, HOOK_CALLS, HOOK_DURATION, HOOK_FAILURES,
    HTTP_DURATION, HTTP_REQUESTS,
};

/// Counts a request. `route` is the pattern that matched, so that there are only so many of them.
pub(crate) fn request_answered(method: &'static str, route: &str, status: u16, duration: Duration) {
    let labels = [("method", method.to_owned()), ("route", route.to_owned()), ("status", status.to_string())];
    counter!(HTTP_REQUESTS, &labels).increment(1);
    histogram!(HTTP_DURATION, &labels).record(duration);
}

/// Shows how many connections there are.
pub(crate) fn connections_open(connections: usize) {
    gauge!(CONNECTIONS).set(u32::try_from(connections).unwrap_or(u32::MAX));
}

/// Counts a connection that the server ended or refused because of a limit.
pub(crate) fn connection_closed(reason: &'static str) {
    counter!(CONNECTIONS_CLOSED, "reason" => reason).increment(1);
}

/// Counts a call of a hook.
pub(crate) fn hook_called(
    hook: Hook,
    plugin: (&str, &str),
    failure: Option<&HookFailure>,
    duration: Duration,
) {
    let labels =
        [("hook", hook.name().to_owned()), ("plugin", plugin.0.to_owned()), ("version", plugin.1.to_owned())];
    counter!(HOOK_CALLS, &labels).increment(1);
    histogram!(HOOK_DURATION, &labels).record(duration);
    // A refusal is the caller's mistake, and not a failure of the plugin.
    if let Some(cause) = failure.and_then(|failure| cause(&failure.cause)) {
        let [hook, plugin, version] = labels;
        let cause = ("cause", cause.to_owned());
        counter!(HOOK_FAILURES, &[hook, plugin, version, cause]).increment(1);
    }
}

/// Shows how many threads are blocked by hooks that were given up.
pub(crate) fn hook_threads_blocked(threads: usize) {
    gauge!(HOOK_BLOCKED_THREADS).set(u32::try_from(threads).unwrap_or(u32::MAX));
}

const fn cause(cause: &HookFailureCause) -> Option<&'static str> {
    match cause {
        HookFailureCause::Error(_) => Some("error"),
        HookFailureCause::Refused { .. } => None,
        HookFailureCause::Panic { .. } => Some("panic"),
        HookFailureCause::TimedOut { .. } => Some("timed-out"),
        HookFailureCause::Blocked { .. } => Some("blocked"),
    }
}
