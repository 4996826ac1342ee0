//! Jobs as rows.

use std::sync::LazyLock;

use racetrack_core::{Job, JobStatus};
use sqlx::any::AnyRow;
use sqlx::{Error, FromRow};
use uuid::Uuid;

use super::job::JobRecord;
use super::job_columns::{COLUMNS, Column};
use super::row::text;
use crate::database::limited_connection::LimitedConnection;
use crate::database::reader::Reader;
use crate::error::{NotFound, StoreError, attempt};

/// Inserts a job, or overwrites the one of its version. Its parameters are those of [`COLUMNS`].
static UPSERT: LazyLock<String> = LazyLock::new(|| {
    let names = list(COLUMNS.iter(), |_, name| name.to_owned());
    let values = list(COLUMNS.iter(), |index, _| format!("${}", index + 1));
    let overwritten = list(columns_on_save(), |_, name| format!("{name} = excluded.{name}"));
    format!(
        "INSERT INTO jobs ({names}) VALUES ({values}) \
         ON CONFLICT (name, version) DO UPDATE SET {overwritten} RETURNING *"
    )
});

/// Changes the job of an id, which is the first parameter. The others are those of [`columns_on_update`].
static UPDATE: LazyLock<String> = LazyLock::new(|| {
    let overwritten = list(columns_on_update(), |index, name| format!("{name} = ${}", index + 2));
    format!("UPDATE jobs SET {overwritten} WHERE id = $1 RETURNING *")
});

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

/// Inserts a job, or overwrites the one of its version, and returns what is stored.
pub(crate) async fn upsert(
    connection: &mut LimitedConnection,
    job: &Job,
    image_names: &[String],
    deployment_id: Option<&str>,
) -> Result<JobRecord, Error> {
    let record = JobRecord {
        image_names: image_names.to_vec(),
        deployment_id: deployment_id.map(str::to_owned),
        ..JobRecord::new(&Uuid::new_v4().to_string(), job.clone())
    };
    let mut columns = COLUMNS.iter();
    let query =
        columns.try_fold(sqlx::query(UPSERT.as_str()), |query, column| (column.bind)(query, &record))?;
    JobRecord::from_row(&query.fetch_one(connection).await?)
}

/// Overwrites everything of a job but its name, version and id, and returns what is stored.
pub(crate) async fn update(
    connection: &mut LimitedConnection,
    id: &str,
    record: &JobRecord,
) -> Result<JobRecord, Error> {
    let query = sqlx::query(UPDATE.as_str()).bind(id.to_owned());
    let query = columns_on_update().try_fold(query, |query, column| (column.bind)(query, record))?;
    JobRecord::from_row(&query.fetch_one(connection).await?)
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

/// The columns that a deployment of a version that is there overwrites.
fn columns_on_save() -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(|column| column.overwrite.on_save())
}

/// The columns that a change of a job overwrites.
fn columns_on_update() -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(|column| column.overwrite.on_update())
}

/// An entry for each column, by its place and its name.
fn list(
    columns: impl Iterator<Item = &'static Column>,
    entry: impl Fn(usize, &'static str) -> String,
) -> String {
    let entries: Vec<String> = columns.enumerate().map(|(index, column)| entry(index, column.name)).collect();
    entries.join(", ")
}

impl FromRow<'_, AnyRow> for JobRecord {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        // Each field is overwritten: the table has a column for it.
        let mut record = Self::new("", Job::new("", "", JobStatus::Lost, 0));
        COLUMNS.iter().try_for_each(|column| (column.read)(row, &mut record))?;
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;
    use sqlx::Row;

    use super::*;
    use crate::{DatabaseUrl, Store};

    /// A record with another value than that of a new one in every field.
    fn full(id: &str, name: &str) -> JobRecord {
        let field = |field: &str| Some(format!("the {field} of {name}"));
        let mut job = Job::new(name, "1.0.0", JobStatus::Error, 1);
        job.update_time = 2;
        job.manifest_yaml = field("manifest");
        job.internal_name = field("internal name");
        job.pub_url = field("URL");
        job.error = field("error");
        job.notice = field("notice");
        job.image_tag = field("tag");
        job.deployed_by = field("owner");
        job.last_call_time = Some(3);
        job.infrastructure_target = field("target");
        job.replica_internal_names = vec!["replica".to_owned()];
        job.job_type_version = field("job type");
        job.infrastructure_stats = [("memory".to_owned(), json!(4))].into();
        JobRecord {
            id: id.to_owned(),
            job,
            image_names: vec!["image".to_owned()],
            is_stale: true,
            deployment_id: field("deployment"),
        }
    }

    #[tokio::test]
    async fn the_columns_are_those_of_the_schema() {
        let store = Store::open(&DatabaseUrl::memory()).await.unwrap();
        store.save_job(&full("", "adder").job, &[]).await.unwrap();
        let row = sqlx::query("SELECT * FROM jobs").fetch_one(store.reader()).await.unwrap();
        let of_schema: BTreeSet<&str> = row.columns().iter().map(sqlx::Column::name).collect();
        let of_table: BTreeSet<&str> = COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!((of_table, COLUMNS.len()), (of_schema.clone(), of_schema.len()));
    }

    #[tokio::test]
    async fn each_column_holds_its_field_and_is_overwritten_when_it_says_so() {
        let store = Store::open(&DatabaseUrl::memory()).await.unwrap();
        let new = full("", "adder");
        let saved = store.save_deployed_job(&new.job, &new.image_names, "1").await.unwrap();
        let expected = JobRecord {
            id: saved.id.clone(),
            is_stale: false,
            deployment_id: Some("1".to_owned()),
            ..new.clone()
        };
        assert_eq!(saved, expected);

        let mut other = full("another", "primer");
        other.job.create_time = 5;
        let update = |record: &mut JobRecord| record.clone_from(&other);
        assert!(store.update_job("adder", "1.0.0", update).await.unwrap());
        let mut expected = JobRecord { id: saved.id.clone(), deployment_id: saved.deployment_id, ..other };
        expected.job.name = "adder".to_owned();
        assert_eq!(*store.job("adder", "1.0.0").await.unwrap(), expected);

        let again = store.save_job(&new.job, &[]).await.unwrap();
        let mut expected =
            JobRecord { id: saved.id, image_names: vec![], is_stale: false, deployment_id: None, ..new };
        expected.job.create_time = 5;
        assert_eq!(again, expected);
    }
}
