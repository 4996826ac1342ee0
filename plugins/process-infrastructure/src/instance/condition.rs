//! Whether the instance of a job answers, as the job contract has it: first `/live`, then `/ready`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::try_join_all;
use hyper::StatusCode;
use racetrack_core::error::chain;
use racetrack_core::text::{BoundedText, TextLimit, whole_characters};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::config::TargetConfig;
use crate::instance::http::{self, JobResponse};
use crate::instance::{Instance, InstanceStatus};

/// How long one request to a job being started may take.
const REQUEST_LIMIT: Duration = Duration::from_secs(3);

/// How much is read of an answer about life, in bytes.
const LONGEST_LIVE: usize = 64 * 1024;

/// How much is read of the metrics of a job, in bytes.
const LONGEST_METRICS: usize = 1024 * 1024;

/// Why a job does not answer as it should. The texts are those that users of Racetrack know.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConditionError {
    #[error("Cluster error: can't reach Job: {0}")]
    Unreachable(String),
    #[error("Cluster error: can't reach newer Job, incorrect deployment_timestamp field")]
    OtherInstance,
    #[error("Cluster error: the liveness endpoint of Job does not tell its deployment_timestamp as JSON")]
    NoTimestamp,
    #[error("Cluster error: the liveness endpoint of Job answers more than {LONGEST_LIVE} bytes")]
    TooLong,
    #[error("Job health error: liveness endpoint not found")]
    NoLiveness,
    #[error("Job health error: readiness endpoint not found")]
    NoReadiness,
    #[error("Job initialization error: {0}")]
    Initialization(BoundedText),
    #[error("Job liveness error: {0}")]
    Liveness(StatusCode),
    #[error("Job server crashed while initialization: {0}")]
    Crashed(String),
    #[error("Job initialization timed out")]
    TimedOut,
    #[error("Job is still initializing")]
    Initializing,
    #[error("Job was removed while it was being started")]
    Removed,
}

/// Waits until every replica is ready. `on_alive` is called once, when the server of every replica answers.
pub(crate) async fn wait_until_ready(
    instance: &Instance,
    config: &TargetConfig,
    on_alive: &(dyn Fn() + Send + Sync),
) -> Result<(), ConditionError> {
    let alive = AtomicBool::new(false);
    let replicas = 0..instance.logs.len();
    let answers = async {
        let deadline = Instant::now() + config.timeout_until_job_alive;
        try_join_all(replicas.clone().map(|index| wait_until_replica_is_alive(instance, index, deadline)))
            .await?;
        alive.store(true, Ordering::Relaxed);
        on_alive();
        let deadline = Instant::now() + config.timeout_until_job_ready;
        try_join_all(replicas.map(|index| wait_until_replica_is_ready(instance, index, deadline))).await?;
        Ok(())
    };
    tokio::select! {
        // A process that has ended tells more than the connection it broke.
        biased;
        error = failure_of(instance, &alive) => Err(error),
        result = answers => result,
    }
}

/// One look at a replica: whether it answers and is ready.
pub(crate) async fn check_replica(port: u16, timestamp: i64, limit: Duration) -> Result<(), ConditionError> {
    check_live(port, timestamp, limit).await?;
    let answer = http::get(port, "/ready", 0, limit).await;
    match answer.map_err(|error| ConditionError::Unreachable(chain(&error)))?.status {
        StatusCode::OK => Ok(()),
        StatusCode::NOT_FOUND => Err(ConditionError::NoReadiness),
        _ => Err(ConditionError::Initializing),
    }
}

/// When the job on a port was last called, in seconds since 1970, if it tells.
pub(crate) async fn last_call_time(port: u16, limit: Duration) -> Option<i64> {
    let answer = http::get(port, "/metrics", LONGEST_METRICS, limit).await.ok()?;
    if answer.status != StatusCode::OK {
        return None;
    }
    let mut body = answer.body;
    if answer.is_cut {
        // The last line may be half a number.
        body.truncate(body.iter().rposition(|byte| *byte == b'\n').unwrap_or(0));
    }
    last_call_timestamp(&String::from_utf8_lossy(&body))
}

async fn failure_of(instance: &Instance, alive: &AtomicBool) -> ConditionError {
    let mut changes = instance.subscribe();
    let failure = changes.wait_for(|record| {
        record.status == InstanceStatus::Retired
            || record.replicas.iter().any(|replica| replica.failure.is_some())
    });
    let Ok(record) = failure.await.map(|record| record.clone()) else { return ConditionError::Removed };
    if record.status == InstanceStatus::Retired {
        return ConditionError::Removed;
    }
    let failure = record.replicas.into_iter().find_map(|replica| replica.failure).unwrap_or_default();
    if alive.load(Ordering::Relaxed) {
        ConditionError::Crashed(failure)
    } else {
        ConditionError::Unreachable(failure)
    }
}

async fn wait_until_replica_is_alive(
    instance: &Instance,
    index: usize,
    deadline: Instant,
) -> Result<(), ConditionError> {
    let mut pause = Pause::default();
    loop {
        let record = instance.record();
        let checked =
            check_live(record.replicas[index].port, record.deployment_timestamp, REQUEST_LIMIT).await;
        match checked {
            Ok(()) => return Ok(()),
            Err(error) if error.is_final() || Instant::now() >= deadline => return Err(error),
            Err(_) => pause.wait().await,
        }
    }
}

async fn wait_until_replica_is_ready(
    instance: &Instance,
    index: usize,
    deadline: Instant,
) -> Result<(), ConditionError> {
    let mut pause = Pause::default();
    loop {
        let record = instance.record();
        let checked =
            check_replica(record.replicas[index].port, record.deployment_timestamp, REQUEST_LIMIT).await;
        match checked {
            Ok(()) => return Ok(()),
            Err(error) if error.is_final() => return Err(error),
            Err(_) if Instant::now() >= deadline => return Err(ConditionError::TimedOut),
            // A server may be too busy with its start to answer; whether its process has ended is watched elsewhere.
            Err(_) => pause.wait().await,
        }
    }
}

async fn check_live(port: u16, timestamp: i64, limit: Duration) -> Result<(), ConditionError> {
    let answer = http::get(port, "/live", LONGEST_LIVE, limit).await;
    judge_live(&answer.map_err(|error| ConditionError::Unreachable(chain(&error)))?, timestamp)
}

fn judge_live(answer: &JobResponse, timestamp: i64) -> Result<(), ConditionError> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let told = match &body["deployment_timestamp"] {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    };
    if told.is_some_and(|told| told != timestamp) {
        return Err(ConditionError::OtherInstance);
    }
    match answer.status {
        StatusCode::OK if told.is_some() => Ok(()),
        StatusCode::OK if answer.is_cut => Err(ConditionError::TooLong),
        StatusCode::OK => Err(ConditionError::NoTimestamp),
        StatusCode::NOT_FOUND => Err(ConditionError::NoLiveness),
        status if answer.is_cut => Err(ConditionError::Initialization(beginning(status, &answer.body))),
        status => Err(match &body["error"] {
            Value::Null => ConditionError::Liveness(status),
            Value::String(error) => initialization(error.clone()),
            error => initialization(error.to_string()),
        }),
    }
}

fn initialization(error: String) -> ConditionError {
    ConditionError::Initialization(BoundedText::new(error, TextLimit::ANSWER))
}

/// What is shown of an answer that is too long to be understood.
fn beginning(status: StatusCode, body: &[u8]) -> BoundedText {
    let shown = &body[..body.len().min(TextLimit::ANSWER.get() / 2)];
    let shown = String::from_utf8_lossy(&shown[..whole_characters(shown)]);
    let text = format!("{status} with an answer of more than {LONGEST_LIVE} bytes: {shown} …");
    BoundedText::new(text, TextLimit::ANSWER)
}

fn last_call_timestamp(metrics: &str) -> Option<i64> {
    let samples = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix("last_call_timestamp")?;
        let value = match rest.strip_prefix('{') {
            Some(labelled) => labelled.rsplit_once('}')?.1,
            None => rest.strip_prefix([' ', '\t'])?,
        };
        let seconds: f64 = value.split_ascii_whitespace().next()?.parse().ok()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the cast saturates, and parts of seconds do not count"
        )]
        (seconds > 0.0).then_some(seconds as i64)
    });
    samples.max()
}

impl ConditionError {
    /// Whether waiting longer is in vain.
    const fn is_final(&self) -> bool {
        !matches!(self, Self::Unreachable(_) | Self::OtherInstance | Self::Initializing)
    }
}

/// Waits between two looks: short at first, because most jobs are up soon.
#[derive(Default)]
struct Pause(u32);

impl Pause {
    async fn wait(&mut self) {
        const FIRST: Duration = Duration::from_millis(10);
        const LONGEST: Duration = Duration::from_millis(500);
        sleep((FIRST * 3_u32.pow(self.0) / 2_u32.pow(self.0)).min(LONGEST)).await;
        self.0 = (self.0 + 1).min(12);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &'static str) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = JobResponse { status, body: body.into(), is_cut: false };
        judge_live(&answer, 7).map_or_else(|error| error.to_string(), |()| "alive".to_owned())
    }

    #[test]
    fn answers_about_life_are_judged() {
        for (status, body, expected) in [
            (200, r#"{"deployment_timestamp": 7}"#, "alive"),
            (200, r#"{"deployment_timestamp": "7", "live": true}"#, "alive"),
            (
                200,
                r#"{"deployment_timestamp": "6"}"#,
                "Cluster error: can't reach newer Job, incorrect deployment_timestamp field",
            ),
            (
                200,
                "<html>",
                "Cluster error: the liveness endpoint of Job does not tell its deployment_timestamp as JSON",
            ),
            (404, "{}", "Job health error: liveness endpoint not found"),
            (500, r#"{"error": "boom", "deployment_timestamp": 7}"#, "Job initialization error: boom"),
            (500, r#"{"error": "boom"}"#, "Job initialization error: boom"),
            (503, "busy", "Job liveness error: 503 Service Unavailable"),
        ] {
            assert_eq!(judged(status, body), expected);
        }
    }

    #[test]
    fn what_a_job_says_of_itself_is_cut() {
        let error = format!("begin{}end", "é".repeat(20_000));
        let body = serde_json::json!({ "error": error }).to_string();
        let judge = |body: &[u8], is_cut| {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            judge_live(&JobResponse { status, body: body.into(), is_cut }, 7).unwrap_err().to_string()
        };
        let text = judge(body.as_bytes(), false);
        assert!(text.starts_with("Job initialization error: beginé") && text.ends_with("éend"), "{text}");
        assert!(text.contains(" bytes left out …]") && text.len() < 4200, "{}", text.len());
        let text = judge(&body.as_bytes()[..30_001], true);
        assert!(text.starts_with(
            "Job initialization error: 500 Internal Server Error with an answer of more than 65536 bytes: {\"error\":\"beginé"
        ));
        assert!(!text.contains('\u{fffd}') && text.len() < 7000);
        let answer = JobResponse { status: StatusCode::OK, body: b"{\"x\": \"".into(), is_cut: true };
        assert!(matches!(judge_live(&answer, 7), Err(ConditionError::TooLong)));
    }

    #[test]
    fn the_last_call_is_found_among_metrics() {
        let metrics = "# TYPE last_call_timestamp gauge\nlast_call_timestamp_created 9e9\n\
                       last_call_timestamp 1.7e+09\nlast_call_timestamp{a=\"b\"} 1700000000.9 1\n";
        assert_eq!(last_call_timestamp(metrics), Some(1_700_000_000));
        assert_eq!(last_call_timestamp("last_call_timestamp 0.0\nother 5\n"), None);
    }
}
