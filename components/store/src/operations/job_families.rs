//! Making and listing job families.

use crate::error::{NotFound, StoreError, attempt};
use crate::records::job_family::{self, JobFamily};
use crate::records::row::text;
use crate::store::Store;

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
        job_family::ensure(&mut transaction, name).await.map_err(attempt(ATTEMPT))?;
        self.commit(transaction, ATTEMPT, []).await?;
        self.job_family(name).await
    }
}
