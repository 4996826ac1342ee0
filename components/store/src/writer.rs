//! Writing: one write at a time, from its first statement until the tables in memory know of it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Any, AnyConnection, AnyPool, Error, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

/// The one connection for writing.
#[derive(Debug)]
pub(crate) struct Writer {
    pool: AnyPool,
    begin: &'static str,
    time_limit: Duration,
    turns: Arc<Mutex<()>>,
}

/// The turn to write. Until it is dropped nobody else writes, and the tables in memory are what the database has.
///
/// The connection alone would not do: it is free for the next write as soon as the database has committed, and the
/// next commit could come to the tables in memory before this one.
pub(crate) type Turn = OwnedMutexGuard<()>;

/// A transaction, by whoever has the turn to write. Undone when it is dropped.
#[derive(Debug)]
pub(crate) struct Write {
    // Dropped in this order: the next turn is given when the transaction is over.
    transaction: Transaction<'static, Any>,
    turn: Turn,
}

impl Writer {
    /// Writes through a pool of one connection, with a statement that begins transactions there. Whoever waits longer
    /// than the time limit, for a turn or for the connection, is sent away.
    pub(crate) fn new(pool: AnyPool, begin: &'static str) -> Self {
        debug_assert_eq!(pool.options().get_max_connections(), 1);
        let time_limit = pool.options().get_acquire_timeout();
        Self { pool, begin, time_limit, turns: Arc::default() }
    }

    /// The next turn; they are given in the order they are asked for.
    pub(crate) async fn turn(&self) -> Result<Turn, Error> {
        let turn = timeout(self.time_limit, Arc::clone(&self.turns).lock_owned()).await;
        turn.map_err(|_| Error::PoolTimedOut)
    }

    /// Starts a transaction.
    pub(crate) async fn begin(&self, turn: Turn) -> Result<Write, Error> {
        let transaction = self.pool.begin_with(self.begin).await?;
        Ok(Write { transaction, turn })
    }

    /// The connection, for what is done before there are turns.
    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }
}

impl Write {
    /// Commits, and shows the outcome to `settle` before the next turn is given.
    pub(crate) async fn commit(self, settle: impl FnOnce(&Result<(), Error>)) -> Result<(), Error> {
        let Self { transaction, turn } = self;
        let outcome = transaction.commit().await;
        settle(&outcome);
        drop(turn);
        outcome
    }
}

impl Deref for Write {
    type Target = AnyConnection;

    fn deref(&self) -> &Self::Target {
        &self.transaction
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.transaction
    }
}

#[cfg(test)]
mod tests {
    use sqlx::any::{AnyPoolOptions, install_default_drivers};

    use super::*;

    #[tokio::test]
    async fn the_next_turn_is_given_when_a_commit_is_settled() {
        install_default_drivers();
        let pool = AnyPoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
        let writer = Writer::new(pool, "BEGIN IMMEDIATE");
        let write = writer.begin(writer.turn().await.unwrap()).await.unwrap();
        let is_given = || writer.turns.try_lock().is_ok();
        let mut is_settled = false;
        let committed = write.commit(|outcome| {
            assert!(outcome.is_ok());
            assert!(!is_given());
            is_settled = true;
        });
        committed.await.unwrap();
        assert!(is_settled && is_given());
    }

    #[tokio::test]
    async fn whoever_waits_too_long_for_a_turn_is_sent_away() {
        install_default_drivers();
        let options = AnyPoolOptions::new().max_connections(1).acquire_timeout(Duration::from_millis(1));
        let writer = Writer::new(options.connect_lazy("sqlite::memory:").unwrap(), "BEGIN IMMEDIATE");
        let turn = writer.turn().await.unwrap();
        assert!(matches!(writer.turn().await, Err(Error::PoolTimedOut)));
        drop(turn);
        writer.turn().await.unwrap();
    }
}
