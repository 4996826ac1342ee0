//! Deleted jobs: the versions that were taken once.

use sqlx::any::AnyRow;
use sqlx::{Error, FromRow, Row};

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
