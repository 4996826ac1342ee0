//! Job families: all versions of a job, those to come included.

use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{Error, FromRow, Row};
use uuid::Uuid;

use super::row::text;
use crate::database::limited_connection::LimitedConnection;
use crate::database::reader::Reader;

/// All versions of a job. A family stays when its last job is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct JobFamily {
    /// The name of its jobs.
    pub name: String,
    /// Identifies it in graphs.
    pub id: String,
}

/// Every family, in no order.
pub(crate) async fn all(reader: &Reader) -> Result<Vec<JobFamily>, Error> {
    sqlx::query_as("SELECT name, id FROM job_families").fetch_all(reader).await
}

/// The family of this name.
pub(crate) async fn find(reader: &Reader, name: &str) -> Result<Option<JobFamily>, Error> {
    let query = sqlx::query_as("SELECT name, id FROM job_families WHERE name = $1");
    query.bind(text(name)).fetch_optional(reader).await
}

/// Makes the family of this name when it is not there.
pub(crate) async fn ensure(connection: &mut LimitedConnection, name: &str) -> Result<(), Error> {
    let query = "INSERT INTO job_families (name, id) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    sqlx::query(query).bind(text(name)).bind(Uuid::new_v4().to_string()).execute(connection).await.map(drop)
}

impl FromRow<'_, AnyRow> for JobFamily {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        Ok(Self { name: row.try_get("name")?, id: row.try_get("id")? })
    }
}
