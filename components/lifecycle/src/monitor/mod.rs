//! What lifecycle does on its own, at intervals: it asks the targets how their jobs do, and brings lost ones back.

mod reconciliation;
mod sync;

use std::time::Duration;

use racetrack_core::error::chain;
use racetrack_core::trouble::Trouble;
use tokio::time::MissedTickBehavior;

use crate::App;
pub(crate) use reconciliation::reconcile;

/// Starts to watch, until lifecycle stops.
pub(crate) fn start(app: &App) {
    tokio::spawn(until_stopped(app.clone(), watch(app.clone())));
    if let Some(interval) = app.config.reconciliation_interval {
        tokio::spawn(until_stopped(app.clone(), bring_back(app.clone(), interval)));
    }
    let keeper = app.clone();
    let keeping = async move { keeper.authenticator.keep_token_uses(&keeper.store).await };
    tokio::spawn(until_stopped(app.clone(), keeping));
}

async fn until_stopped(app: App, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        () = app.service.readiness.stopping() => {}
    }
}

async fn watch(app: App) {
    let mut ticks = tokio::time::interval(app.config.monitor_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut listings = sync::Listings::default();
    let trouble = Trouble::new();
    loop {
        ticks.tick().await;
        match sync::sync(&app, &mut listings).await {
            Ok(()) if trouble.ends() => {
                tracing::info!("what the infrastructure targets report is kept again");
            }
            Err(error) if trouble.begins() => {
                tracing::error!(error = chain(&error), "what the infrastructure targets report is not kept");
            }
            _ => {}
        }
    }
}

async fn bring_back(app: App, interval: Duration) {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first one ticks at once, when no target has been asked yet.
    ticks.tick().await;
    let (doubts, trouble) = (Trouble::new(), Trouble::new());
    loop {
        ticks.tick().await;
        if !app.store.is_alone() {
            if doubts.begins() {
                tracing::warn!(
                    "lost jobs are not brought back while the lease of the database is not renewed"
                );
            }
            continue;
        }
        let are_over = doubts.ends();
        match reconcile(&app, None).await {
            Ok(()) if trouble.ends() || are_over => tracing::info!("lost jobs are brought back again"),
            Err(error) if trouble.begins() => {
                tracing::error!(error = chain(&error), "lost jobs are not brought back");
            }
            _ => {}
        }
    }
}
