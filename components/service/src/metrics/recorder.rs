//! Collects what is counted.

use std::fmt;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use metrics::{describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::names::{
    BUILD_INFO, CONNECTIONS, CONNECTIONS_CLOSED, HOOK_BLOCKED_THREADS, HOOK_CALLS, HOOK_DURATION,
    HOOK_FAILURES, HTTP_DURATION, HTTP_REQUESTS, PLUGINS, START_TIME,
};
use crate::identity::Identity;

/// The upper bounds of the latency histograms, in seconds.
const BUCKETS: [f64; 12] = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];

/// Between two scrapes, measured values pile up; this is how often they are added to the histograms.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// What has been counted in this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Begins to count. There is one count per process, however often this is called.
    pub fn install() -> Self {
        static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
        Self(HANDLE.get_or_init(install_recorder).clone())
    }

    /// What has been counted, in the format of Prometheus.
    pub(crate) fn render(&self) -> String {
        self.0.render()
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
