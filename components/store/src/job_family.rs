//! Job families: all versions of a job, those to come included.

use serde::Serialize;
use sqlx::any::AnyRow;
use sqlx::{Error, FromRow, Row};
use uuid::Uuid;

use crate::error::{NotFound, StoreError, attempt};
use crate::limited::LimitedConnection;
use crate::row::text;
use crate::store::Store;

/// All versions of a job. A family stays when its last job is deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct JobFamily {
    /// The name of its jobs.
    pub name: String,
    /// Identifies it in graphs.
    pub id: String,
}

impl Store {
    /// Every family, by name.
    pub async fn job_families(&self) -> Result<Vec<JobFamily>, StoreError> {
        let families = sqlx::query_as("SELECT name, id FROM job_families").fetch_all(self.reader()).await;
        let mut families: Vec<JobFamily> = families.map_err(attempt("list the job families"))?;
        families.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(families)
    }

    /// The family of this name.
    pub async fn job_family(&self, name: &str) -> Result<JobFamily, StoreError> {
        let found = sqlx::query_as("SELECT name, id FROM job_families WHERE name = $1").bind(text(name));
        let found = found.fetch_optional(self.reader()).await.map_err(attempt("look for a job family"))?;
        found.ok_or_else(|| NotFound::JobFamily { name: name.to_owned() }.into())
    }

    /// The family of this name, which is made when it is not there.
    pub async fn ensure_job_family(&self, name: &str) -> Result<JobFamily, StoreError> {
        const ATTEMPT: &str = "save a job family";
        let mut transaction = self.begin(ATTEMPT).await?;
        ensure(&mut transaction, name).await.map_err(attempt(ATTEMPT))?;
        self.commit(transaction, ATTEMPT, []).await?;
        self.job_family(name).await
    }
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
