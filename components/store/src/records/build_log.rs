//! The logs of builds, as rows. They stand apart from deployments, for they are long and seldom read.

use racetrack_core::text::TextLimit;
use sqlx::Error;

use super::row::{bounded_text, text};
use crate::database::limited_connection::LimitedConnection;
use crate::database::reader::Reader;

/// The most that is stored of the log of a build, in bytes.
const LIMIT: TextLimit = TextLimit::bytes(16 << 20);

/// The deployments whose build logs are needed: those under way, the latest, and of each job the one that it
/// is of and the latest that came to a build, whose log is shown.
macro_rules! needed_logs {
    () => {
        "SELECT id FROM deployments WHERE status = 'in_progress' \
        UNION SELECT id FROM (SELECT id FROM deployments ORDER BY update_ms DESC LIMIT $1) AS latest \
        UNION SELECT deployment_id FROM jobs WHERE deployment_id IS NOT NULL \
        UNION SELECT id FROM (SELECT (SELECT d.id FROM deployments AS d \
            JOIN build_logs ON build_logs.deployment_id = d.id \
            WHERE d.job_name = jobs.name AND d.job_version = jobs.version \
            ORDER BY d.update_ms DESC LIMIT 1) AS id FROM jobs) AS shown WHERE id IS NOT NULL"
    };
}

/// Stores the log of a deployment, in place of the one it has.
pub(crate) async fn save(
    connection: &mut LimitedConnection,
    deployment_id: &str,
    logs: &str,
) -> Result<(), Error> {
    let query = sqlx::query(
        "INSERT INTO build_logs (deployment_id, logs) VALUES ($1, $2) \
         ON CONFLICT (deployment_id) DO UPDATE SET logs = excluded.logs",
    );
    query.bind(text(deployment_id)).bind(bounded_text(logs, LIMIT)).execute(connection).await.map(drop)
}

/// The log of a deployment.
pub(crate) async fn find(reader: &Reader, deployment_id: &str) -> Result<Option<String>, Error> {
    let query = sqlx::query_scalar("SELECT logs FROM build_logs WHERE deployment_id = $1");
    query.bind(text(deployment_id)).fetch_optional(reader).await
}

/// The log of the latest deployment of a version that came to a build.
pub(crate) async fn latest(
    reader: &Reader,
    job_name: &str,
    job_version: &str,
) -> Result<Option<String>, Error> {
    let query = sqlx::query_scalar(
        "SELECT logs FROM build_logs JOIN deployments ON id = deployment_id \
         WHERE job_name = $1 AND job_version = $2 ORDER BY update_ms DESC LIMIT 1",
    );
    query.bind(text(job_name)).bind(text(job_version)).fetch_optional(reader).await
}

/// The deployments whose logs are needed, with this many that made progress last.
pub(crate) async fn needed(reader: &Reader, latest: u32) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(needed_logs!()).bind(i64::from(latest)).fetch_all(reader).await
}

/// Removes some of the logs that are not [`needed`], so many at most. Returns how many are removed.
pub(crate) async fn remove_unneeded(
    connection: &mut LimitedConnection,
    latest: u32,
    limit: i64,
) -> Result<u64, Error> {
    const DELETE: &str = concat!(
        "DELETE FROM build_logs WHERE deployment_id IN (SELECT deployment_id FROM build_logs ",
        "WHERE deployment_id NOT IN (",
        needed_logs!(),
        ") LIMIT $2)"
    );
    let query = sqlx::query(DELETE).bind(i64::from(latest)).bind(limit);
    Ok(query.execute(connection).await?.rows_affected())
}
