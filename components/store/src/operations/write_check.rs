//! Whether writes succeed, as health and readiness report it.

use std::sync::Arc;
use std::time::Duration;

use racetrack_core::error::chain;
use racetrack_core::shared_check::Transition;
use tokio::time::{Instant, timeout};

use crate::error::StoreError;
use crate::records::write_check_row;
use crate::store::Store;
use crate::transaction::commit;

/// How long an answer is good for: however many ask, the database is written once in that time.
const FRESH: Duration = Duration::from_secs(1);

/// How long somebody who asks waits for an answer. Probes give up after about as long.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the last answer stands for a database that is slow to give the next one.
const STALE: Duration = Duration::from_secs(4);

/// How long a check may take. A little less than [`STALE`], so that its failure is the reason that is given.
const TIME_LIMIT: Duration = Duration::from_millis(3500);

/// What is written after a failure, in bytes: about as much as a large write. One byte more may fit where
/// nothing else does.
const LARGE: usize = 256 << 10;

impl Store {
    /// Whether writes succeed: writes a row of no meaning. Answers within about a second, with an answer of
    /// up to four seconds ago where the database is slow; so a failure is reported, and its end as well,
    /// within five seconds.
    ///
    /// # Errors
    /// Why writes fail.
    pub async fn check_writes(&self) -> Result<(), Arc<StoreError>> {
        let check = self.write_check();
        if let Some(outcome) = check.last(FRESH) {
            return outcome;
        }
        let store = self.clone();
        // Not dropped with whoever asked: others wait for it, and a write that is dropped costs the
        // connection.
        let checking = tokio::spawn(async move {
            store.write_check().outcome(FRESH, store.try_to_write_in_time(), report).await
        });
        match timeout(PATIENCE, checking).await {
            Ok(Ok(outcome)) => outcome,
            // The outcome before stands for a while.
            _ => check.last(STALE).unwrap_or_else(|| Err(Arc::new(StoreError::Silent { limit: PATIENCE }))),
        }
    }

    /// Writes, or says why not in time.
    async fn try_to_write_in_time(&self) -> Result<(), StoreError> {
        let acknowledged = self.writer().acknowledged();
        let started = Instant::now();
        // The pool tries to connect for as long as it may, and keeps to itself what the database says.
        let reason = async {
            tokio::time::sleep(PATIENCE).await;
            match self.connect().await {
                Ok(()) => std::future::pending().await,
                Err(error) => error,
            }
        };
        // Both go on together, and neither outlives this: the write may have the turn.
        let outcome = timeout(TIME_LIMIT, async {
            tokio::select! {
                outcome = self.try_to_write() => outcome,
                error = reason => Err(error),
            }
        });
        if let Ok(outcome) = outcome.await {
            return outcome;
        }
        // Many writes wait for their turns, and this one stands behind them.
        if self.writer().acknowledged() != acknowledged {
            return Ok(());
        }
        Err(StoreError::Silent { limit: started.elapsed() })
    }

    async fn try_to_write(&self) -> Result<(), StoreError> {
        let doubts = self.writer().doubts();
        if doubts.are_raised() {
            self.write_filler(&"0".repeat(LARGE)).await?;
        }
        self.write_filler(&self.clock().tick().to_string()).await?;
        doubts.settle();
        Ok(())
    }

    async fn write_filler(&self, filler: &str) -> Result<(), StoreError> {
        let written = self.write("write", async |transaction| {
            write_check_row::save(transaction, filler).await?;
            Ok(commit((), []))
        });
        written.await
    }
}

fn report(transition: Transition<'_, StoreError>) {
    match transition {
        Transition::Failure(error) => tracing::error!(error = chain(error), "writes to the database fail"),
        Transition::Recovery => tracing::info!("writes to the database succeed again"),
    }
}
