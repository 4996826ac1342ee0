//! What is counted, and `GET /metrics`, which shows it in the format of Prometheus.

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use racetrack_core::Hook;
use racetrack_core::failure::{HookFailure, HookFailureCause};

use crate::{Identity, Service};

const HTTP_REQUESTS: &str = "racetrack_http_requests_total";
const HTTP_DURATION: &str = "racetrack_http_request_duration_seconds";
const CONNECTIONS: &str = "racetrack_http_connections";
const CONNECTIONS_CLOSED: &str = "racetrack_http_connections_closed_total";
const HOOK_CALLS: &str = "racetrack_hook_calls_total";
const HOOK_FAILURES: &str = "racetrack_hook_failures_total";
const HOOK_DURATION: &str = "racetrack_hook_duration_seconds";
const HOOK_BLOCKED_THREADS: &str = "racetrack_hook_blocked_threads";
const BUILD_INFO: &str = "racetrack_build_info";
const PLUGINS: &str = "racetrack_plugins";
const START_TIME: &str = "process_start_time_seconds";

/// The upper bounds of the latency histograms, in seconds.
const BUCKETS: [f64; 12] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];

/// Between two scrapes, measured values pile up; this is how often they are added to the histograms.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// What has been counted in this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// `GET /metrics`.
pub async fn metrics(State(service): State<Service>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], service.metrics.0.render())
}

impl Metrics {
    /// Begins to count. There is one count per process, however often this is called.
    pub fn install() -> Self {
        static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
        Self(HANDLE.get_or_init(install_recorder).clone())
    }

    /// Notes who is running, from now on.
    pub fn started(&self, identity: &Identity, plugins: usize) {
        gauge!(BUILD_INFO, "component" => identity.component, "version" => identity.version, "git_version" => identity.git_version.clone()).set(1);
        gauge!(PLUGINS).set(u32::try_from(plugins).unwrap_or(u32::MAX));
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        gauge!(START_TIME).set(since_1970.unwrap_or_default().as_secs_f64());
    }

    /// Keeps the histograms small, for ever.
    pub(crate) async fn keep_up(self) {
        let mut interval = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            interval.tick().await;
            self.0.run_upkeep();
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

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
    // A refusal is the caller's mistake, and no failure of the plugin.
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

fn install_recorder() -> PrometheusHandle {
    let builder =
        PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS);
    let handle = builder
        .expect("there are buckets")
        .install_recorder()
        .expect("nothing else in this process records metrics");
    describe_counter!(HTTP_REQUESTS, "Answered requests by method, route and status.");
    describe_histogram!(HTTP_DURATION, "Time from the request to the head of the answer.");
    describe_gauge!(CONNECTIONS, "Open connections.");
    describe_counter!(
        CONNECTIONS_CLOSED,
        "Connections that were ended or refused by the server, by the limit that they reached."
    );
    describe_counter!(HOOK_CALLS, "Calls of plugin hooks.");
    describe_counter!(HOOK_FAILURES, "Calls of plugin hooks that failed, by cause.");
    describe_histogram!(HOOK_DURATION, "Time that plugin hooks took.");
    describe_gauge!(
        HOOK_BLOCKED_THREADS,
        "Threads blocked by hooks that were given up after their time limit."
    );
    describe_gauge!(BUILD_INFO, "Always 1; the labels say what is running.");
    describe_gauge!(PLUGINS, "Plugins linked into this binary.");
    describe_gauge!(START_TIME, "When the process started, in seconds since 1970.");
    handle
}
