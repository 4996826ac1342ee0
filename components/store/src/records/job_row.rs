//! Jobs as rows.

use racetrack_core::Job;
use racetrack_core::job::limited_statistics;
use racetrack_core::text::TextLimit;
use sqlx::any::AnyRow;
use sqlx::{Any, Error, FromRow, Row};
use uuid::Uuid;

use super::job::JobRecord;
use super::row::{
    bounded_column, flag_column, json, json_column, name_of, named_column, optional_bounded_text,
    optional_text, text,
};
use crate::database::limited_connection::LimitedConnection;
use crate::database::reader::Reader;
use crate::error::{NotFound, StoreError, attempt};

const UPSERT: &str = "\
    INSERT INTO jobs (id, name, version, status, create_time, update_time, manifest_yaml, internal_name, pub_url, \
        error, notice, image_tag, deployed_by, last_call_time, infrastructure_target, replica_internal_names, \
        job_type_version, infrastructure_stats, image_names, deployment_id, is_stale) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, 0) \
    ON CONFLICT (name, version) DO UPDATE SET status = excluded.status, update_time = excluded.update_time, \
        manifest_yaml = excluded.manifest_yaml, internal_name = excluded.internal_name, \
        pub_url = excluded.pub_url, error = excluded.error, notice = excluded.notice, \
        image_tag = excluded.image_tag, deployed_by = excluded.deployed_by, \
        last_call_time = excluded.last_call_time, infrastructure_target = excluded.infrastructure_target, \
        replica_internal_names = excluded.replica_internal_names, job_type_version = excluded.job_type_version, \
        infrastructure_stats = excluded.infrastructure_stats, image_names = excluded.image_names, \
        deployment_id = excluded.deployment_id, is_stale = 0 \
    RETURNING *";

const UPDATE: &str = "\
    UPDATE jobs SET status = $2, create_time = $3, update_time = $4, manifest_yaml = $5, internal_name = $6, \
        pub_url = $7, error = $8, notice = $9, image_tag = $10, deployed_by = $11, last_call_time = $12, \
        infrastructure_target = $13, replica_internal_names = $14, job_type_version = $15, \
        infrastructure_stats = $16, image_names = $17, is_stale = $18 \
    WHERE id = $1 \
    RETURNING *";

type Query = sqlx::query::Query<'static, Any, sqlx::any::AnyArguments>;

/// Every job, in no order.
pub(crate) async fn all(reader: &Reader) -> Result<Vec<JobRecord>, Error> {
    sqlx::query_as("SELECT * FROM jobs").fetch_all(reader).await
}

/// The job of exactly this version.
pub(crate) async fn find(
    connection: &mut LimitedConnection,
    name: &str,
    version: &str,
) -> Result<Option<JobRecord>, Error> {
    let query = sqlx::query_as("SELECT * FROM jobs WHERE name = $1 AND version = $2");
    query.bind(text(name)).bind(text(version)).fetch_optional(connection).await
}

/// The id of exactly this version.
pub(crate) async fn id(
    connection: &mut LimitedConnection,
    name: &str,
    version: &str,
) -> Result<String, StoreError> {
    let query = sqlx::query_scalar("SELECT id FROM jobs WHERE name = $1 AND version = $2");
    let found = query.bind(text(name)).bind(text(version)).fetch_optional(connection).await;
    let missing = || NotFound::JobVersion { name: name.to_owned(), version: version.to_owned() };
    Ok(found.map_err(attempt("look for a job"))?.ok_or_else(missing)?)
}

/// Inserts a job, or overwrites the one of its version, and gives what is kept.
pub(crate) async fn upsert(
    connection: &mut LimitedConnection,
    job: &Job,
    image_names: &[String],
    deployment_id: Option<&str>,
) -> Result<JobRecord, Error> {
    let key =
        sqlx::query(UPSERT).bind(Uuid::new_v4().to_string()).bind(text(&job.name)).bind(text(&job.version));
    let query = bind_fields(key, job, image_names)?.bind(optional_text(deployment_id));
    let row = query.fetch_one(connection).await?;
    JobRecord::from_row(&row)
}

/// Overwrites everything of a job but its name, version and id, and gives what is kept.
pub(crate) async fn update(
    connection: &mut LimitedConnection,
    id: &str,
    record: &JobRecord,
) -> Result<JobRecord, Error> {
    let query = bind_fields(sqlx::query(UPDATE).bind(id.to_owned()), &record.job, &record.image_names)?;
    let row = query.bind(i64::from(record.is_stale)).fetch_one(connection).await?;
    JobRecord::from_row(&row)
}

/// Deletes the job of exactly this version. Returns whether it was there.
pub(crate) async fn delete(
    connection: &mut LimitedConnection,
    name: &str,
    version: &str,
) -> Result<bool, Error> {
    let query = sqlx::query("DELETE FROM jobs WHERE name = $1 AND version = $2");
    Ok(query.bind(text(name)).bind(text(version)).execute(connection).await?.rows_affected() > 0)
}

/// Binds what [`UPSERT`] and [`UPDATE`] have in common, which both list in this order.
fn bind_fields(query: Query, job: &Job, image_names: &[String]) -> Result<Query, Error> {
    let optional = |value: &Option<String>| optional_text(value.as_deref());
    let said = |value: &Option<String>| optional_bounded_text(value.as_deref(), TextLimit::NOTE);
    Ok(query
        .bind(name_of(&job.status)?)
        .bind(job.create_time)
        .bind(job.update_time)
        .bind(optional(&job.manifest_yaml))
        .bind(optional(&job.internal_name))
        .bind(optional(&job.pub_url))
        .bind(said(&job.error))
        .bind(said(&job.notice))
        .bind(optional(&job.image_tag))
        .bind(optional(&job.deployed_by))
        .bind(job.last_call_time)
        .bind(optional(&job.infrastructure_target))
        .bind(json(&job.replica_internal_names)?)
        .bind(optional(&job.job_type_version))
        .bind(json(&limited_statistics(job.infrastructure_stats.clone()))?)
        .bind(json(&image_names)?))
}

impl FromRow<'_, AnyRow> for JobRecord {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        let name: &str = row.try_get("name")?;
        let version: &str = row.try_get("version")?;
        let mut job = Job::new(name, version, named_column(row, "status")?, row.try_get("create_time")?);
        job.update_time = row.try_get("update_time")?;
        job.manifest_yaml = row.try_get("manifest_yaml")?;
        job.internal_name = row.try_get("internal_name")?;
        job.pub_url = row.try_get("pub_url")?;
        job.error = bounded_column(row, "error", TextLimit::NOTE)?;
        job.notice = bounded_column(row, "notice", TextLimit::NOTE)?;
        job.image_tag = row.try_get("image_tag")?;
        job.deployed_by = row.try_get("deployed_by")?;
        job.last_call_time = row.try_get("last_call_time")?;
        job.infrastructure_target = row.try_get("infrastructure_target")?;
        job.replica_internal_names = json_column(row, "replica_internal_names")?;
        job.job_type_version = row.try_get("job_type_version")?;
        job.infrastructure_stats = json_column(row, "infrastructure_stats")?;
        Ok(Self {
            id: row.try_get("id")?,
            job,
            image_names: json_column(row, "image_names")?,
            is_stale: flag_column(row, "is_stale")?,
            deployment_id: row.try_get("deployment_id")?,
        })
    }
}
