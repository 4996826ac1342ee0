//! Whether the infrastructure targets can store what they have to, as health and readiness report it.

use std::time::Duration;

use futures_util::future::join_all;
use racetrack_core::trouble::Trouble;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::App;
use crate::turns::Turns;

/// How long an answer is good for: however many ask, each target is asked once in that time.
const FRESH: Duration = Duration::from_secs(1);

/// How long a target may take.
const TIME_LIMIT: Duration = Duration::from_secs(3);

/// Asks the targets, one round at a time.
#[derive(Debug, Default)]
pub(crate) struct StorageCheck {
    last: Mutex<LastRound>,
    trouble: Trouble,
}

#[derive(Debug, Default)]
struct LastRound {
    outcome: Option<(Instant, Option<String>)>,
    turns: Turns,
}

/// Why a target cannot store anything, or nothing where all can.
pub(crate) async fn failure(app: &App) -> Option<String> {
    let check = &app.storage_check;
    let mut last = check.last.lock().await;
    if let Some((time, outcome)) = &last.outcome
        && time.elapsed() < FRESH
    {
        return outcome.clone();
    }
    let outcome = ask(app, &mut last.turns).await;
    match &outcome {
        None if check.trouble.ends() => tracing::info!("the infrastructure targets can store again"),
        Some(reason) if check.trouble.begins() => {
            tracing::error!(reason, "an infrastructure target cannot store what it has to");
        }
        _ => {}
    }
    last.outcome = Some((Instant::now(), outcome.clone()));
    outcome
}

async fn ask(app: &App, turns: &mut Turns) -> Option<String> {
    let offers = app.offers();
    let names = offers.targets.iter().map(|(name, _)| name);
    let turns: Vec<_> = names.map(|name| (name, turns.next(name))).collect();
    let asked = turns.into_iter().map(|(name, turn)| async move {
        let Some(turn) = turn else {
            return Some(format!(
                "the infrastructure target {name:?} has not answered yet whether it can store anything"
            ));
        };
        // A target that is gone stores nothing.
        let target = app.target(name).ok()?;
        target.check_storage(turn, TIME_LIMIT).await.err().map(|error| racetrack_core::error::chain(&*error))
    });
    let failures: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
    (!failures.is_empty()).then(|| failures.join("; "))
}
