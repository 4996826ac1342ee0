//! Looks at intervals, and after jobs are deleted, what no job needs, and has it removed.

use std::time::Duration;

use metrics::{counter, describe_counter};
use racetrack_core::error::chain;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::RetentionError;
use super::holdings::{Holdings, Release};
use super::needs::Needs;
use crate::App;
use crate::turns::Turns;

/// What is counted.
const SWEEPS: &str = "racetrack_retention_sweeps_total";

/// How soon after the start it is looked for the first time what is needed, if the interval is not shorter.
const FIRST: Duration = Duration::from_mins(1);

/// The least time from one look to the next, if the interval is not shorter: many jobs may be deleted at once.
const PAUSE: Duration = Duration::from_secs(10);

/// Begins to have removed what is needed no longer, until lifecycle stops.
pub(crate) fn start(app: &App) {
    describe_counter!(
        SWEEPS,
        "How often it was looked what no job needs, by whether that could be removed, or why not."
    );
    if let Some(interval) = app.config.retention_interval {
        let app = app.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = sweep_again_and_again(&app, interval) => {}
                () = app.service.readiness.stopping() => {}
            }
        });
    }
}

async fn sweep_again_and_again(app: &App, interval: Duration) {
    let mut ticks = interval_at(Instant::now() + interval.min(FIRST), interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turns = Turns::default();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = app.retention.triggered() => {}
        }
        if app.store.is_alone() {
            let outcome = sweep(app, &mut turns).await;
            counter!(SWEEPS, "outcome" => if outcome.is_ok() { "done" } else { "failed" }).increment(1);
            if let Err(error) = outcome {
                tracing::warn!(error = chain(&error), "what no job needs is not removed; it is tried again");
            }
        } else {
            tracing::warn!("what no job needs is not removed while the lease of the database is not renewed");
        }
        sleep(interval.min(PAUSE)).await;
    }
}

/// Looks what is needed, and has the rest removed.
async fn sweep(app: &App, turns: &mut Turns) -> Result<(), RetentionError> {
    let platform = app.store.platform_id().await?;
    let holdings = Holdings::of(&app.image_builder, &platform).await.map_err(RetentionError::Holdings)?;
    let needs = Needs::look(app, turns).await?;
    let ended = app.store.ended_deployments(&holdings.deployments()).await?;
    let release = Release::of(platform, holdings, &needs, &ended);
    let removals = release.send(&app.image_builder).await.map_err(RetentionError::Release)?;
    let build_logs = app.store.remove_build_logs(app.config.retention_deployments).await?;
    tracing::debug!(%removals, build_logs, "image-builder has removed what no job needs, and the database build logs");
    Ok(())
}
