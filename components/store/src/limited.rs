//! Connections whose statements have to be over in time: a database that does not answer would be waited for, and what waits
//! would be held, for ever.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use sqlx::any::{AnyQueryResult, AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Either, Error, Execute, Executor, SqlStr};
use tokio::time::{Instant, timeout, timeout_at};

/// How long the database may take for what is read at once, and for the statements of a write between its beginning and its commit.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What becomes of a connection that did not acknowledge its last statement: nobody knows whether it is still in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionUse {
    /// It is closed, and the next user opens another.
    Replaceable,
    /// It is the database, as for one in memory, so it stays. Such a database has no disk that could be full, and no network.
    Irreplaceable,
}

/// A connection of a pool. It goes back there only if its last statement was acknowledged.
#[derive(Debug)]
pub(crate) struct LimitedConnection {
    /// There until it is closed, which nothing outlives.
    connection: Option<PoolConnection<Any>>,
    connection_use: ConnectionUse,
    limit: Duration,
    deadline: Instant,
    last: LastStatement,
}

/// What is known of the last statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastStatement {
    /// The database has answered it.
    Answered,
    /// It is under way, or whoever waited for it was dropped.
    UnderWay,
    /// It was waited for as long as the limit says.
    Overdue,
}

/// A pool for reading.
#[derive(Debug)]
pub(crate) struct Reader {
    pool: AnyPool,
    connection_use: ConnectionUse,
    pub(crate) limit: Duration,
}

impl LimitedConnection {
    /// A connection whose statements may take so long, all together.
    pub(crate) fn new(
        connection: PoolConnection<Any>,
        connection_use: ConnectionUse,
        limit: Duration,
    ) -> Self {
        let deadline = Instant::now() + limit;
        let connection = Some(connection);
        Self { connection, connection_use, limit, deadline, last: LastStatement::Answered }
    }

    /// Gives the statements that follow so much time, from now on.
    pub(crate) fn renew(&mut self, limit: Duration) {
        (self.limit, self.deadline) = (limit, Instant::now() + limit);
    }

    /// Whether a statement was waited for in vain, so that there is no use in another one.
    pub(crate) fn is_overdue(&self) -> bool {
        self.last == LastStatement::Overdue
    }

    /// Closes the connection, unless it is the database. Whether it closes in peace is of no consequence: it is not in the pool
    /// any more.
    pub(crate) async fn close(mut self, limit: Duration) {
        if self.connection_use == ConnectionUse::Replaceable
            && let Some(connection) = self.connection.take()
        {
            drop(timeout(limit, connection.close()).await);
        }
    }

    /// The connection, with what is to be noted of a statement on it.
    fn parts(&mut self) -> (&mut AnyConnection, &mut LastStatement, (Duration, Instant)) {
        let connection = self.connection.as_mut().expect("a connection is there until it is closed");
        (connection, &mut self.last, (self.limit, self.deadline))
    }

    /// The connection is not used again.
    pub(crate) fn give_up(&mut self) {
        if let (ConnectionUse::Replaceable, Some(connection)) = (self.connection_use, &mut self.connection) {
            connection.close_on_drop();
        }
    }
}

impl Drop for LimitedConnection {
    fn drop(&mut self) {
        if self.last != LastStatement::Answered {
            self.give_up();
        }
    }
}

impl Reader {
    pub(crate) const fn new(pool: AnyPool, connection_use: ConnectionUse) -> Self {
        Self { pool, connection_use, limit: TIME_LIMIT }
    }

    pub(crate) const fn pool(&self) -> &AnyPool {
        &self.pool
    }

    async fn connection(&self) -> Result<LimitedConnection, Error> {
        let connection = self.pool.acquire().await?;
        Ok(LimitedConnection::new(connection, self.connection_use, self.limit))
    }
}

/// Waits for a statement until the deadline, and notes what became of it.
async fn wait<T>(
    last: &mut LastStatement,
    (limit, deadline): (Duration, Instant),
    statement: impl Future<Output = Result<T, Error>> + Send,
) -> Result<T, Error> {
    *last = LastStatement::UnderWay;
    if let Ok(outcome) = timeout_at(deadline, statement).await {
        *last = LastStatement::Answered;
        return outcome;
    }
    *last = LastStatement::Overdue;
    Err(overdue(limit))
}

/// What is said of a database that did not answer in time.
pub(crate) fn overdue(limit: Duration) -> Error {
    let text = format!("the database has not answered within {} ms", limit.as_millis());
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, text))
}

type Step = Either<AnyQueryResult, AnyRow>;
type Answer<'e, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'e>>;
type Steps<'e> = Pin<Box<dyn Stream<Item = Result<Step, Error>> + Send + 'e>>;

/// A stream of what comes all at once. Whoever reads collects it, and no connection waits for whoever does not.
fn at_once<'e>(steps: impl Future<Output = Result<Vec<Step>, Error>> + Send + 'e) -> Steps<'e> {
    let steps = stream::once(steps).map_ok(|steps| stream::iter(steps.into_iter().map(Ok)));
    steps.try_flatten().boxed()
}

impl<'c> Executor<'c> for &'c mut LimitedConnection {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Steps<'e>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let (connection, last, time) = self.parts();
        at_once(wait(last, time, connection.fetch_many(query).try_collect()))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> Answer<'e, Option<AnyRow>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let (connection, last, time) = self.parts();
        Box::pin(wait(last, time, connection.fetch_optional(query)))
    }

    fn prepare_with<'e>(self, query: SqlStr, types: &'e [AnyTypeInfo]) -> Answer<'e, AnyStatement>
    where
        'c: 'e,
    {
        let (connection, last, time) = self.parts();
        Box::pin(wait(last, time, connection.prepare_with(query, types)))
    }
}

impl<'c> Executor<'c> for &'c Reader {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> Steps<'e>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        at_once(async move { self.connection().await?.fetch_many(query).try_collect().await })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> Answer<'e, Option<AnyRow>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        Box::pin(async move { self.connection().await?.fetch_optional(query).await })
    }

    fn prepare_with<'e>(self, query: SqlStr, types: &'e [AnyTypeInfo]) -> Answer<'e, AnyStatement>
    where
        'c: 'e,
    {
        Box::pin(async move { self.connection().await?.prepare_with(query, types).await })
    }
}

#[cfg(test)]
mod tests {
    use sqlx::any::{AnyPoolOptions, install_default_drivers};

    use super::*;

    /// Keeps SQLite busy for seconds.
    const LONG: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) \
                        SELECT count(*) FROM n";

    async fn reader(folder: &std::path::Path) -> Reader {
        install_default_drivers();
        let url = format!("sqlite://{}?mode=rwc", folder.join("limited.db").display());
        let pool = AnyPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
        Reader { pool, connection_use: ConnectionUse::Replaceable, limit: Duration::from_millis(50) }
    }

    async fn count(reader: &Reader) -> Result<i64, Error> {
        sqlx::query_scalar("SELECT count(*) FROM made").fetch_one(reader).await
    }

    #[tokio::test]
    async fn what_reads_for_too_long_is_given_up_with_its_connection() {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = reader(folder.path()).await;
        // Only this very connection has it.
        sqlx::raw_sql("CREATE TEMP TABLE made (id BIGINT)").execute(reader.pool()).await.unwrap();
        assert_eq!(count(&reader).await.unwrap(), 0);
        let error = sqlx::query(LONG).execute(&reader).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "error communicating with database: the database has not answered within 50 ms"
        );
        reader.limit = TIME_LIMIT;
        let error = count(&reader).await.unwrap_err();
        assert!(error.to_string().contains("no such table"), "{error}");
    }

    #[tokio::test]
    async fn a_read_that_nobody_waits_for_any_more_costs_its_connection() {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = reader(folder.path()).await;
        reader.limit = TIME_LIMIT;
        sqlx::raw_sql("CREATE TEMP TABLE made (id BIGINT)").execute(reader.pool()).await.unwrap();
        let reading = sqlx::query(LONG).execute(&reader);
        assert!(timeout(Duration::from_millis(50), reading).await.is_err());
        let error = count(&reader).await.unwrap_err();
        assert!(error.to_string().contains("no such table"), "{error}");
    }
}
