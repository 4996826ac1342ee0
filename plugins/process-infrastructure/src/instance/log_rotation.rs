//! Keeps the logs of an instance small while its processes write to them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use racetrack_core::error::chain;
use tokio::time::{Instant, sleep};

use crate::instance::Instance;
use crate::instance::log_watch::LogWatch;
use crate::instance::replica_log::ReplicaLog;
use crate::state::job_key::JobKey;

/// How long a log goes unlooked at where writes to it are not noticed.
const PERIOD: Duration = Duration::from_secs(1);

/// The least time between two rotations of a log: what a job writes in it is the most that a file holds too much.
const PAUSE: Duration = Duration::from_millis(5);

/// How often the same trouble is told of.
const PERIOD_OF_WARNINGS: Duration = Duration::from_mins(1);

/// Rotates each log as soon as it has grown too large. Never ends.
pub(crate) async fn keep_small(instance: &Instance, watch: &LogWatch) -> Infallible {
    let logs = instance.logs.iter().map(|log| keep_one_small(&instance.key, log, watch));
    join_all(logs).await;
    std::future::pending().await
}

async fn keep_one_small(job: &JobKey, log: &Arc<ReplicaLog>, watch: &LogWatch) -> Infallible {
    let watched = watch.watch(log.path());
    let written = async || match &watched {
        Some(watched) => watched.written().await,
        None => std::future::pending().await,
    };
    let trimming = Arc::clone(log);
    if let Ok(Err(error)) = tokio::task::spawn_blocking(move || trimming.trim_rotated()).await {
        tracing::warn!(%job, error = chain(&error), "the rotated files of a log cannot be cut");
    }
    let mut warned: Option<Instant> = None;
    loop {
        let rotating = Arc::clone(log);
        // Where it is not full, that is seen without a thread.
        let rotated = match log.is_full() {
            Ok(true) => tokio::task::spawn_blocking(move || rotating.rotate()).await.unwrap_or(Ok(())),
            Ok(false) => {
                tokio::select! {
                    () = written() => {}
                    () = sleep(PERIOD) => {}
                }
                continue;
            }
            Err(error) => Err(error),
        };
        match rotated {
            Ok(()) => sleep(PAUSE).await,
            Err(error) => {
                if warned.is_none_or(|warned| warned.elapsed() >= PERIOD_OF_WARNINGS) {
                    tracing::warn!(%job, error = chain(&error), "a log cannot be rotated");
                    warned = Some(Instant::now());
                }
                sleep(PERIOD).await;
            }
        }
    }
}
