//! Deployments as rows.

use racetrack_core::text::TextLimit;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Error, FromRow, Row};

use super::deployment::{Deployment, DeploymentOutcome, NewDeployment};
use super::row::{bounded_column, bounded_text, named_column, optional_text, text};
use super::visibility::Visibility;
use crate::database::clock::seconds;
use crate::database::limited_connection::LimitedConnection;
use crate::database::reader::Reader;

/// Adds a deployment in progress, unless its version has one.
pub(crate) async fn insert(
    connection: &mut LimitedConnection,
    id: &str,
    create_ms: i64,
    new: &NewDeployment,
) -> Result<(), Error> {
    const INSERT: &str = "\
        INSERT INTO deployments (id, status, create_ms, update_ms, job_name, job_version, manifest_yaml, \
            infrastructure_target, deployed_by, image_name) \
        VALUES ($1, 'in_progress', $2, $2, $3, $4, $5, $6, $7, $8)";
    let query = sqlx::query(INSERT)
        .bind(id.to_owned())
        .bind(create_ms)
        .bind(text(&new.job_name))
        .bind(text(&new.job_version))
        .bind(text(&new.manifest_yaml))
        .bind(optional_text(new.infrastructure_target.as_deref()))
        .bind(optional_text(new.deployed_by.as_deref()))
        .bind(optional_text(new.image_name.as_deref()));
    query.execute(connection).await.map(drop)
}

/// The deployment of this id.
pub(crate) async fn find(reader: &Reader, id: &str) -> Result<Option<Deployment>, Error> {
    sqlx::query_as("SELECT * FROM deployments WHERE id = $1").bind(text(id)).fetch_optional(reader).await
}

/// The deployments that made progress last, latest first.
pub(crate) async fn last_updated(reader: &Reader, limit: u32) -> Result<Vec<Deployment>, Error> {
    let query = sqlx::query_as("SELECT * FROM deployments ORDER BY update_ms DESC LIMIT $1");
    query.bind(i64::from(limit)).fetch_all(reader).await
}

/// The ids of the deployments that somebody is shown and that made progress last, latest first.
pub(crate) async fn visible_ids(
    reader: &Reader,
    visibility: &Visibility,
    limit: u32,
) -> Result<Vec<String>, Error> {
    const SELECT: &str = "\
        SELECT id FROM deployments \
        WHERE $2 = 1 OR REPLACE($3, '\n' || job_name || '\n', '') <> $3 \
            OR REPLACE($4, '\n' || job_name || ' ' || job_version || '\n', '') <> $4 \
            OR ($5 <> '' AND deployed_by = $5 AND create_ms >= $6) \
        ORDER BY update_ms DESC LIMIT $1";
    let query = visibility.bind(sqlx::query_as(SELECT).bind(i64::from(limit)));
    let ids: Vec<(String,)> = query.fetch_all(reader).await?;
    Ok(ids.into_iter().map(|(id,)| id).collect())
}

/// The deployment of exactly this version that made progress last.
pub(crate) async fn latest(
    reader: &Reader,
    job_name: &str,
    job_version: &str,
) -> Result<Option<Deployment>, Error> {
    let query = sqlx::query_as(
        "SELECT * FROM deployments WHERE job_name = $1 AND job_version = $2 ORDER BY update_ms DESC LIMIT 1",
    );
    query.bind(text(job_name)).bind(text(job_version)).fetch_optional(reader).await
}

/// The deployments under way, oldest first.
pub(crate) async fn in_progress(reader: &Reader) -> Result<Vec<Deployment>, Error> {
    let query = sqlx::query_as("SELECT * FROM deployments WHERE status = 'in_progress' ORDER BY create_ms");
    query.fetch_all(reader).await
}

/// When the deployment under way of exactly this version last made progress, in milliseconds since 1970.
pub(crate) async fn last_progress(
    reader: &Reader,
    job_name: &str,
    job_version: &str,
) -> Result<Option<i64>, Error> {
    let query = sqlx::query_scalar(
        "SELECT update_ms FROM deployments \
         WHERE job_name = $1 AND job_version = $2 AND status = 'in_progress'",
    );
    query.bind(text(job_name)).bind(text(job_version)).fetch_optional(reader).await
}

/// The ids after one, in their order, of deployments that are over.
pub(crate) async fn ended_ids_after(reader: &Reader, id: String, limit: i64) -> Result<Vec<String>, Error> {
    const SELECT: &str = "SELECT id FROM deployments WHERE id > $1 AND status <> 'in_progress' \
                          ORDER BY id LIMIT $2";
    sqlx::query_scalar(SELECT).bind(id).bind(limit).fetch_all(reader).await
}

/// The warnings of a deployment, if it is there and has any.
pub(crate) async fn warnings(
    connection: &mut LimitedConnection,
    id: &str,
) -> Result<Option<Option<String>>, Error> {
    let query = sqlx::query_scalar("SELECT warnings FROM deployments WHERE id = $1").bind(text(id));
    query.fetch_optional(connection).await
}

/// Replaces the warnings of a deployment.
pub(crate) async fn set_warnings(
    connection: &mut LimitedConnection,
    id: &str,
    update_ms: i64,
    warnings: String,
) -> Result<(), Error> {
    let query = "UPDATE deployments SET update_ms = $2, warnings = $3 WHERE id = $1";
    update(query, id, update_ms).bind(warnings).execute(connection).await.map(drop)
}

/// Replaces the phase of a deployment that is in progress. Returns whether there is such a deployment.
pub(crate) async fn set_phase(
    connection: &mut LimitedConnection,
    id: &str,
    update_ms: i64,
    phase: &str,
) -> Result<bool, Error> {
    let query = "UPDATE deployments SET update_ms = $2, phase = $3 WHERE id = $1 AND status = 'in_progress'";
    let query = update(query, id, update_ms).bind(bounded_text(phase, TextLimit::PHASE));
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

/// Replaces the image of a deployment, where one is given. Returns whether the deployment is there.
pub(crate) async fn set_image_name(
    connection: &mut LimitedConnection,
    id: &str,
    update_ms: i64,
    image_name: Option<&str>,
) -> Result<bool, Error> {
    let query = "UPDATE deployments SET update_ms = $2, image_name = COALESCE($3, image_name) WHERE id = $1";
    let query = update(query, id, update_ms).bind(optional_text(image_name));
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

/// Ends a deployment that is in progress. Returns whether there is such a deployment.
pub(crate) async fn finish(
    connection: &mut LimitedConnection,
    id: &str,
    update_ms: i64,
    outcome: &DeploymentOutcome,
) -> Result<bool, Error> {
    const DONE: &str = "UPDATE deployments SET update_ms = $2, status = 'done', error = NULL, phase = NULL \
                        WHERE id = $1 AND status = 'in_progress'";
    const FAILED: &str = "UPDATE deployments SET update_ms = $2, status = 'failed', error = $3 \
                          WHERE id = $1 AND status = 'in_progress'";
    let query = match outcome {
        DeploymentOutcome::Done => update(DONE, id, update_ms),
        DeploymentOutcome::Failed { error } => {
            update(FAILED, id, update_ms).bind(bounded_text(error, TextLimit::RECORD))
        }
    };
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

/// An update whose first parameters are the id and the time.
fn update(statement: &'static str, id: &str, update_ms: i64) -> Query<'static, Any, AnyArguments> {
    sqlx::query(statement).bind(text(id)).bind(update_ms)
}

impl FromRow<'_, AnyRow> for Deployment {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.try_get("id")?,
            status: named_column(row, "status")?,
            create_time: seconds(row.try_get("create_ms")?),
            update_time: seconds(row.try_get("update_ms")?),
            error: bounded_column(row, "error", TextLimit::RECORD)?,
            deployed_by: row.try_get("deployed_by")?,
            phase: bounded_column(row, "phase", TextLimit::PHASE)?,
            image_name: row.try_get("image_name")?,
            infrastructure_target: row.try_get("infrastructure_target")?,
            manifest_yaml: row.try_get("manifest_yaml")?,
            job_name: row.try_get("job_name")?,
            job_version: row.try_get("job_version")?,
            warnings: bounded_column(row, "warnings", TextLimit::RECORD)?,
        })
    }
}
