//! The names of what is counted.

pub(super) const HTTP_REQUESTS: &str = "racetrack_http_requests_total";
pub(super) const HTTP_DURATION: &str = "racetrack_http_request_duration_seconds";
pub(super) const CONNECTIONS: &str = "racetrack_http_connections";
pub(super) const CONNECTIONS_CLOSED: &str = "racetrack_http_connections_closed_total";
pub(super) const HOOK_CALLS: &str = "racetrack_hook_calls_total";
pub(super) const HOOK_FAILURES: &str = "racetrack_hook_failures_total";
pub(super) const HOOK_DURATION: &str = "racetrack_hook_duration_seconds";
pub(super) const HOOK_BLOCKED_THREADS: &str = "racetrack_hook_blocked_threads";
pub(super) const BUILD_INFO: &str = "racetrack_build_info";
pub(super) const PLUGINS: &str = "racetrack_plugins";
pub(super) const START_TIME: &str = "process_start_time_seconds";
