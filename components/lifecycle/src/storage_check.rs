//! Whether the infrastructure targets can store what they have to, as health and readiness report it.

use std::time::Duration;

use futures_util::future::join_all;
use racetrack_core::error::chain;
use racetrack_core::trouble::Trouble;
use racetrack_service::HookRuntime;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::infrastructure::Target;
use crate::offers::Offers;
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

impl StorageCheck {
    /// Why one of the targets that `offers` has cannot store anything, or nothing where all can.
    pub(crate) async fn failure(&self, hooks: &HookRuntime, offers: &Offers) -> Option<String> {
        let mut last = self.last.lock().await;
        if let Some((time, outcome)) = &last.outcome
            && time.elapsed() < FRESH
        {
            return outcome.clone();
        }
        let outcome = ask(hooks, offers, &mut last.turns).await;
        match &outcome {
            None if self.trouble.ends() => tracing::info!("the infrastructure targets can store again"),
            Some(reason) if self.trouble.begins() => {
                tracing::error!(reason, "an infrastructure target cannot store what it has to");
            }
            _ => {}
        }
        last.outcome = Some((Instant::now(), outcome.clone()));
        outcome
    }
}

async fn ask(hooks: &HookRuntime, offers: &Offers, turns: &mut Turns) -> Option<String> {
    let names = offers.targets.iter().map(|(name, _)| name);
    let turns: Vec<_> = names.map(|name| (name, turns.next(name))).collect();
    let asked = turns.into_iter().map(|(name, turn)| async move {
        let Some(turn) = turn else {
            return Some(format!(
                "the infrastructure target {name:?} has not answered yet whether it can store anything"
            ));
        };
        let target = Target::find(hooks, offers, name).ok()?;
        target.check_storage(turn, TIME_LIMIT).await.err().map(|error| chain(&*error))
    });
    let failures: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
    (!failures.is_empty()).then(|| failures.join("; "))
}
