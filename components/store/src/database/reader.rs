//! Reading: each statement on a connection of its own, for as long as the limit says.

use std::time::Duration;

use futures_util::stream::TryStreamExt;
use sqlx::any::{AnyRow, AnyStatement, AnyTypeInfo};
use sqlx::{Any, AnyPool, Error, Execute, Executor, SqlStr};

use super::limited_connection::{ConnectionUse, LimitedConnection, TIME_LIMIT};
use super::statement::{StatementFuture, StatementStream, at_once};

/// A pool for reading.
#[derive(Debug)]
pub(crate) struct Reader {
    pool: AnyPool,
    connection_use: ConnectionUse,
    pub(crate) limit: Duration,
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

impl<'c> Executor<'c> for &'c Reader {
    type Database = Any;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> StatementStream<'e>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        at_once(async move { self.connection().await?.fetch_many(query).try_collect().await })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> StatementFuture<'e, Option<AnyRow>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Any>,
    {
        Box::pin(async move { self.connection().await?.fetch_optional(query).await })
    }

    fn prepare_with<'e>(self, query: SqlStr, types: &'e [AnyTypeInfo]) -> StatementFuture<'e, AnyStatement>
    where
        'c: 'e,
    {
        Box::pin(async move { self.connection().await?.prepare_with(query, types).await })
    }
}

#[cfg(test)]
mod tests {
    use sqlx::any::{AnyPoolOptions, install_default_drivers};
    use tokio::time::timeout;

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
