//! Whether something between here and PostgreSQL gives the sessions of one connection to another.

use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions, Connection, Row};

/// How often both connections are asked: a pooler may hand out its sessions in turn.
const ROUNDS: usize = 3;

/// Whether two connections at the same time are served by one and the same process of the server now and
/// then, or one by several.
///
/// That is what a pooler in transaction mode does. Named statements, and settings of a session, then are
/// those of somebody else.
pub(crate) async fn shares_sessions(options: &AnyConnectOptions) -> Result<bool, sqlx::Error> {
    let mut one = options.connect().await?;
    let mut other = options.connect().await?;
    let mut seen = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        seen.0.push(backend(&mut one).await?);
        seen.1.push(backend(&mut other).await?);
    }
    one.close().await?;
    other.close().await?;
    let is_one = |pids: &[i64]| pids.windows(2).all(|pair| pair[0] == pair[1]);
    Ok(!is_one(&seen.0) || !is_one(&seen.1) || seen.0[0] == seen.1[0])
}

/// The process that serves a connection. Asked without a prepared statement, which such a pooler would not
/// keep.
async fn backend(connection: &mut AnyConnection) -> Result<i64, sqlx::Error> {
    use sqlx::Executor;

    let row = connection.fetch_one(sqlx::raw_sql("SELECT pg_backend_pid()::bigint")).await?;
    row.try_get(0)
}
