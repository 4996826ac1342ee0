//! Making and listing job families.

use crate::error::{NotFound, StoreError, attempt};
use crate::records::job_family::{self, JobFamily};
use crate::store::Store;
use crate::transaction::commit;

impl Store {
    /// Every family, by name.
    pub async fn job_families(&self) -> Result<Vec<JobFamily>, StoreError> {
        let families = job_family::all(self.reader()).await;
        let mut families = families.map_err(attempt("list the job families"))?;
        families.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(families)
    }

    /// The family of this name.
    pub async fn job_family(&self, name: &str) -> Result<JobFamily, StoreError> {
        let found = job_family::find(self.reader(), name).await.map_err(attempt("look for a job family"))?;
        found.ok_or_else(|| NotFound::JobFamily { name: name.to_owned() }.into())
    }

    /// The family of this name, which is made when it is not there.
    pub async fn ensure_job_family(&self, name: &str) -> Result<JobFamily, StoreError> {
        let saved = self.write("save a job family", async |transaction| {
            job_family::ensure(transaction, name).await?;
            Ok(commit((), []))
        });
        saved.await?;
        self.job_family(name).await
    }
}
