//! Connections whose statements have to be over in time: a database that does not answer would be waited for,
//! and what waits would be held, for ever.

use std::io;
use std::time::Duration;

use futures_util::stream::TryStreamExt;
use sqlx::any::{AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, Error, Execute, Executor, SqlStr};
use tokio::time::{Instant, timeout, timeout_at};

use super::statement::{StatementFuture, StatementStream, at_once};

/// How long the database may take for what is read at once, and for the statements of a write between its
/// beginning and its commit.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(30);

/// What becomes of a connection that did not acknowledge its last statement: nobody knows whether it is still
/// in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionUse {
    /// It is closed, and the next user opens another.
    Replaceable,
    /// It is the database, as for one in memory, so it stays. Such a database has no disk that could be full,
    /// and no network.
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

    /// Closes the connection, unless it is the database. Whether it closes in peace is of no consequence: it
    /// is not in the pool any more.
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
fn overdue(limit: Duration) -> Error {
    let text = format!("the database has not answered within {} ms", limit.as_millis());
    Error::Io(io::Error::new(io::ErrorKind::TimedOut, text))
}

impl<'c> Executor<'c> for &'c mut LimitedConnection {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> StatementStream<'e>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let (connection, last, time) = self.parts();
        at_once(wait(last, time, connection.fetch_many(query).try_collect()))
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> StatementFuture<'e, Option<AnyRow>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        let (connection, last, time) = self.parts();
        Box::pin(wait(last, time, connection.fetch_optional(query)))
    }

    fn prepare_with<'e>(self, query: SqlStr, types: &'e [AnyTypeInfo]) -> StatementFuture<'e, AnyStatement>
    where
        'c: 'e,
    {
        let (connection, last, time) = self.parts();
        Box::pin(wait(last, time, connection.prepare_with(query, types)))
    }
}
