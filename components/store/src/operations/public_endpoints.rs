//! Requesting, opening and closing public endpoints.

use crate::error::{NotFound, StoreError};
use crate::memory::change::Change;
use crate::records::{job_row, public_endpoint};
use crate::store::Store;
use crate::transaction::commit;

impl Store {
    /// Keeps that a job's owner wants these paths open, and no others. New ones are closed; those there
    /// already stay as they are.
    pub async fn request_public_endpoints(
        &self,
        name: &str,
        version: &str,
        endpoints: &[String],
    ) -> Result<(), StoreError> {
        let requested = self.write("save public endpoints", async |transaction| {
            let job_id = job_row::id(transaction, name, version).await?;
            let former = public_endpoint::paths_of(transaction, &job_id).await?;
            for endpoint in former.iter().filter(|endpoint| !endpoints.contains(endpoint)) {
                public_endpoint::delete(transaction, &job_id, endpoint).await?;
            }
            for endpoint in endpoints {
                public_endpoint::insert(transaction, &job_id, endpoint).await?;
            }
            Ok(commit((), [Change::Access]))
        });
        requested.await
    }

    /// Opens or closes a path that a job's owner wants open.
    ///
    /// # Errors
    /// [`NotFound`] when the job is not there, or its owner does not want that.
    pub async fn set_public_endpoint(
        &self,
        name: &str,
        version: &str,
        endpoint: &str,
        is_active: bool,
    ) -> Result<(), StoreError> {
        let set = self.write("open or close a public endpoint", async |transaction| {
            let job_id = job_row::id(transaction, name, version).await?;
            if !public_endpoint::set_active(transaction, &job_id, endpoint, is_active).await? {
                let (name, version, endpoint) = (name.to_owned(), version.to_owned(), endpoint.to_owned());
                return Err(NotFound::PublicEndpoint { name, version, endpoint }.into());
            }
            Ok(commit((), [Change::Access]))
        });
        set.await
    }
}
