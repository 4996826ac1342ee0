//! Writing: one write at a time, from its first statement until the tables in memory know of it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{AnyPool, Error, raw_sql};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

use crate::database::limited_connection::{ConnectionUse, LimitedConnection, TIME_LIMIT};

/// How long a rollback, and the closing of a connection that did not acknowledge one, may each take.
const ENDING_TIME_LIMIT: Duration = Duration::from_secs(10);

/// The one connection for writing.
#[derive(Debug)]
pub(crate) struct Writer {
    pool: AnyPool,
    begin: &'static str,
    time_limit: Duration,
    /// How long the database may take from the beginning of a write to its commit, and for the commit.
    statement_time_limit: Duration,
    turns: Arc<Mutex<()>>,
    connection_use: ConnectionUse,
    doubts: Doubts,
    acknowledged: Arc<AtomicU64>,
}

/// Whether the last thing that is known of writing is a failure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doubts(Arc<AtomicBool>);

/// The turn to write. Until it is dropped nobody else writes, and the tables in memory are what the database
/// has.
///
/// The connection alone would not do: it is free for the next write as soon as the database has committed,
/// and the next commit could come to the tables in memory before this one.
pub(crate) type Turn = OwnedMutexGuard<()>;

/// A transaction, by whoever has the turn to write. Undone when it is dropped.
///
/// It begins and ends with statements of its own rather than with a transaction of sqlx, which counts how
/// deep a connection is in transactions. SQLite undoes a transaction by itself when the disk is full; the
/// rollback that follows fails, the count stays, and no later write could begin on that connection.
#[derive(Debug)]
pub(crate) struct Write(Option<OpenWrite>);

#[derive(Debug)]
struct OpenWrite {
    // Dropped in this order: the next turn is given when the connection is back.
    connection: LimitedConnection,
    turn: Turn,
    statement_time_limit: Duration,
    doubts: Doubts,
    acknowledged: Arc<AtomicU64>,
}

impl Writer {
    /// Writes through a pool of one connection, with a statement that begins transactions there. Whoever
    /// waits longer than the time limit, for a turn or for the connection, is sent away.
    pub(crate) fn new(pool: AnyPool, begin: &'static str, connection_use: ConnectionUse) -> Self {
        debug_assert_eq!(pool.options().get_max_connections(), 1);
        let time_limit = pool.options().get_acquire_timeout();
        let statement_time_limit = TIME_LIMIT;
        let (turns, doubts, acknowledged) = Default::default();
        Self { pool, begin, time_limit, statement_time_limit, turns, connection_use, doubts, acknowledged }
    }

    /// The next turn; they are given in the order they are asked for.
    pub(crate) async fn turn(&self) -> Result<Turn, Error> {
        let turn = timeout(self.time_limit, Arc::clone(&self.turns).lock_owned()).await;
        turn.map_err(|_| Error::PoolTimedOut)
    }

    /// Starts a transaction.
    pub(crate) async fn begin(&self, turn: Turn) -> Result<Write, Error> {
        let connection = self.pool.acquire().await;
        let connection = connection.inspect_err(|_| self.doubts.raise())?;
        let statement_time_limit = self.statement_time_limit;
        let connection = LimitedConnection::new(connection, self.connection_use, statement_time_limit);
        let (doubts, acknowledged) = (self.doubts.clone(), Arc::clone(&self.acknowledged));
        // Before the statement: whoever waits for it may be dropped while the database carries it out.
        let mut write =
            Write(Some(OpenWrite { connection, turn, statement_time_limit, doubts, acknowledged }));
        raw_sql(self.begin).execute(&mut *write).await.inspect_err(|_| self.doubts.raise())?;
        Ok(write)
    }

    /// Whether the last thing that is known of writing is a failure.
    pub(crate) const fn doubts(&self) -> &Doubts {
        &self.doubts
    }

    /// Counts the commits that were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// The connection, for what is done before there are turns.
    pub(crate) fn pool(&self) -> &AnyPool {
        &self.pool
    }
}

impl Write {
    /// Commits, and shows the outcome to `settle` before the next turn is given.
    pub(crate) async fn commit(mut self, settle: impl FnOnce(&Result<(), Error>)) -> Result<(), Error> {
        // A write that took its time is worth no less.
        let limit = self.open().statement_time_limit;
        self.renew(limit);
        let outcome = raw_sql("COMMIT").execute(&mut *self).await.map(drop);
        settle(&outcome);
        match &outcome {
            // The connection is back in the pool before the next turn is given.
            Ok(()) => {
                self.open().acknowledged.fetch_add(1, Ordering::Relaxed);
                drop(self.0.take());
            }
            Err(_) => self.open().doubts.raise(),
        }
        outcome
    }

    fn open(&self) -> &OpenWrite {
        self.0.as_ref().expect("a write is open until it is committed or dropped")
    }
}

impl Deref for Write {
    type Target = LimitedConnection;

    fn deref(&self) -> &Self::Target {
        &self.open().connection
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0.as_mut().expect("a write is open until it is committed or dropped").connection
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        let Some(mut open) = self.0.take() else { return };
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(open.roll_back())),
            // The process ends, and its connections with it.
            Err(_) => open.connection.give_up(),
        }
    }
}

impl OpenWrite {
    /// Undoes the transaction; a connection that does not acknowledge that, or no statement before, is not
    /// used again.
    async fn roll_back(mut self) {
        let Self { connection, .. } = &mut self;
        if !connection.is_overdue() {
            connection.renew(ENDING_TIME_LIMIT);
            if raw_sql("ROLLBACK").execute(&mut *connection).await.is_ok() {
                return;
            }
        }
        self.doubts.raise();
        let Self { connection, turn, .. } = self;
        connection.close(ENDING_TIME_LIMIT).await;
        drop(turn);
    }
}

impl Doubts {
    /// A write failed, and not by what it says.
    fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// A write was tried, and succeeded.
    pub(crate) fn settle(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    pub(crate) fn are_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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
        let writer = Writer::new(pool, "BEGIN IMMEDIATE", ConnectionUse::Irreplaceable);
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
        let pool = options.connect_lazy("sqlite::memory:").unwrap();
        let writer = Writer::new(pool, "BEGIN IMMEDIATE", ConnectionUse::Irreplaceable);
        let turn = writer.turn().await.unwrap();
        assert!(matches!(writer.turn().await, Err(Error::PoolTimedOut)));
        drop(turn);
        writer.turn().await.unwrap();
    }

    /// A database in a file that may have 20 pages, so it is full soon, and a table to fill.
    async fn small(folder: &std::path::Path) -> Writer {
        install_default_drivers();
        let options = AnyPoolOptions::new().max_connections(1).test_before_acquire(false);
        let options = options.after_connect(|connection, _| {
            Box::pin(async move {
                raw_sql("PRAGMA cache_spill = 1; PRAGMA cache_size = 1; PRAGMA max_page_count = 20;")
                    .execute(connection)
                    .await
                    .map(drop)
            })
        });
        let url = format!("sqlite://{}?mode=rwc", folder.join("small.db").display());
        let pool = options.connect(&url).await.unwrap();
        let writer = Writer::new(pool, "BEGIN IMMEDIATE", ConnectionUse::Replaceable);
        raw_sql("CREATE TABLE filler (bytes BLOB)").execute(writer.pool()).await.unwrap();
        writer
    }

    async fn fill(writer: &Writer, bytes: usize) -> Result<(), Error> {
        let mut write = writer.begin(writer.turn().await?).await?;
        let insert =
            sqlx::query("INSERT INTO filler VALUES (zeroblob($1))").bind(i64::try_from(bytes).unwrap());
        insert.execute(&mut *write).await?;
        write.commit(|_| ()).await
    }

    #[tokio::test]
    async fn after_a_write_that_the_full_database_undid_the_next_one_succeeds() {
        let folder = tempfile::tempdir().unwrap();
        let writer = small(folder.path()).await;
        assert!(!writer.doubts().are_raised());
        for _ in 0..3 {
            let error = fill(&writer, 1 << 20).await.unwrap_err();
            assert!(error.to_string().contains("database or disk is full"), "{error}");
            fill(&writer, 10).await.unwrap();
        }
        assert!(writer.doubts().are_raised(), "until a write was tried for this very reason");
        let rows: i64 =
            sqlx::query_scalar("SELECT count(*) FROM filler").fetch_one(writer.pool()).await.unwrap();
        assert_eq!(rows, 3);
    }

    #[tokio::test]
    async fn a_statement_that_takes_too_long_ends_the_write_and_its_connection() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = small(folder.path()).await;
        writer.statement_time_limit = Duration::from_millis(50);
        let mut write = writer.begin(writer.turn().await.unwrap()).await.unwrap();
        sqlx::query("INSERT INTO filler VALUES (zeroblob(1))").execute(&mut *write).await.unwrap();
        let long = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) \
                    SELECT count(*) FROM n";
        let error = sqlx::query(long).execute(&mut *write).await.unwrap_err();
        assert!(error.to_string().contains("has not answered within 50 ms"), "{error}");
        let again = sqlx::query("INSERT INTO filler VALUES (zeroblob(1))").execute(&mut *write).await;
        assert!(again.is_err(), "the time of the write is over");
        drop(write);
        writer.statement_time_limit = TIME_LIMIT;
        fill(&writer, 10).await.unwrap();
        let rows: i64 =
            sqlx::query_scalar("SELECT count(*) FROM filler").fetch_one(writer.pool()).await.unwrap();
        assert_eq!(rows, 1, "what was overdue is undone");
    }

    #[tokio::test]
    async fn a_write_that_is_dropped_anywhere_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let writer = small(folder.path()).await;
        for polls in 0..40 {
            let mut filling = std::pin::pin!(fill(&writer, 10));
            for _ in 0..polls {
                if futures_poll_once(filling.as_mut()).await {
                    break;
                }
            }
        }
        fill(&writer, 10).await.unwrap();
    }

    /// Polls once, and lets others run; whether it is done.
    async fn futures_poll_once(
        mut future: std::pin::Pin<&mut impl Future<Output = Result<(), Error>>>,
    ) -> bool {
        let done =
            std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_ready()));
        let done = done.await;
        tokio::task::yield_now().await;
        done
    }
}
