//! Deleted jobs: the versions that were taken once.

use sqlx::any::AnyRow;
use sqlx::{Error, FromRow, Row};

use super::row::{optional_text, text};
use crate::database::limited_connection::LimitedConnection;
use crate::database::reader::Reader;

/// A version that was deleted by somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeletedJob {
    /// The job's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Who deleted it.
    pub deleted_by: Option<String>,
    /// When, in seconds since 1970.
    pub delete_time: i64,
}

/// The last deletion of this version.
pub(crate) async fn find(reader: &Reader, name: &str, version: &str) -> Result<Option<DeletedJob>, Error> {
    let query = sqlx::query_as("SELECT * FROM deleted_jobs WHERE name = $1 AND version = $2");
    query.bind(text(name)).bind(text(version)).fetch_optional(reader).await
}

/// Stores the deletion of this version, in place of an earlier one.
pub(crate) async fn save(
    connection: &mut LimitedConnection,
    name: &str,
    version: &str,
    deleted_by: Option<&str>,
    delete_time: i64,
) -> Result<(), Error> {
    let query = sqlx::query(
        "INSERT INTO deleted_jobs (name, version, deleted_by, delete_time) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (name, version) DO UPDATE \
         SET deleted_by = excluded.deleted_by, delete_time = excluded.delete_time",
    );
    let query = query.bind(text(name)).bind(text(version));
    query.bind(optional_text(deleted_by)).bind(delete_time).execute(connection).await.map(drop)
}

impl FromRow<'_, AnyRow> for DeletedJob {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        Ok(Self {
            name: row.try_get("name")?,
            version: row.try_get("version")?,
            deleted_by: row.try_get("deleted_by")?,
            delete_time: row.try_get("delete_time")?,
        })
    }
}
