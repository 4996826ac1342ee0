//! What `/metrics` tells, under the names that jobs of all types use.

use std::fmt::Write;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// The upper ends of the buckets of `request_duration`, in seconds.
const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 100.0];

/// The figures.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<Figures>);

#[derive(Default)]
struct Figures {
    requests_started: u64,
    requests_done: u64,
    internal_errors: u64,
    last_call_timestamp: f64,
    duration_sum: f64,
    /// How many calls ended in each bucket, not cumulated; one more for those beyond the last.
    duration_buckets: [u64; BUCKETS.len() + 1],
}

impl Metrics {
    /// A call has begun.
    pub(crate) fn call_started(&self) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut figures = self.figures();
        figures.requests_started += 1;
        figures.last_call_timestamp = now.as_secs_f64();
    }

    /// A call has ended.
    pub(crate) fn call_done(&self, duration: Duration, is_internal_error: bool) {
        let seconds = duration.as_secs_f64();
        let bucket = BUCKETS.iter().position(|end| seconds <= *end).unwrap_or(BUCKETS.len());
        let mut figures = self.figures();
        figures.requests_done += 1;
        figures.internal_errors += u64::from(is_internal_error);
        figures.duration_sum += seconds;
        figures.duration_buckets[bucket] += 1;
    }

    /// The figures in the text format of Prometheus.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        self.figures().write(&mut text).expect("a String takes any text");
        text
    }

    fn figures(&self) -> std::sync::MutexGuard<'_, Figures> {
        self.0.lock().expect("counting does not panic")
    }
}

impl Figures {
    fn write(&self, text: &mut String) -> std::fmt::Result {
        const CALL: &str = "{endpoint=\"/perform\"}";
        let mut sample = |name: &str, kind: &str, help: &str, labels: &str, value: &dyn std::fmt::Display| {
            let family = name.strip_suffix("_total").unwrap_or(name);
            writeln!(text, "# HELP {family} {help}\n# TYPE {family} {kind}\n{name}{labels} {value}")
        };
        sample("requests_started_total", "counter", "Calls that have begun", "", &self.requests_started)?;
        sample("requests_done_total", "counter", "Calls that have ended", "", &self.requests_done)?;
        let errors = "Calls that failed inside the job";
        sample("request_internal_errors_total", "counter", errors, CALL, &self.internal_errors)?;
        let last = "When the job was called last, in seconds since 1970";
        sample("last_call_timestamp", "gauge", last, "", &format_args!("{:?}", self.last_call_timestamp))?;

        writeln!(
            text,
            "# HELP request_duration Duration of calls, in seconds\n# TYPE request_duration histogram"
        )?;
        let mut count = 0;
        for (end, calls) in BUCKETS.iter().zip(self.duration_buckets) {
            count += calls;
            writeln!(text, "request_duration_bucket{{endpoint=\"/perform\",le=\"{end:?}\"}} {count}")?;
        }
        count += self.duration_buckets[BUCKETS.len()];
        writeln!(text, "request_duration_bucket{{endpoint=\"/perform\",le=\"+Inf\"}} {count}")?;
        writeln!(
            text,
            "request_duration_sum{CALL} {:?}\nrequest_duration_count{CALL} {count}",
            self.duration_sum
        )
    }
}
