//! Requesting, opening and closing public endpoints.

use crate::error::{NotFound, StoreError, attempt};
use crate::memory::change::Change;
use crate::records::job_row;
use crate::records::row::text;
use crate::store::Store;

impl Store {
    /// Keeps that a job's owner wants these paths open, and no others. New ones are closed; those there already stay as
    /// they are.
    pub async fn request_public_endpoints(
        &self,
        name: &str,
        version: &str,
        endpoints: &[String],
    ) -> Result<(), StoreError> {
        const ATTEMPT: &str = "save public endpoints";
        const INSERT: &str = "INSERT INTO public_endpoints (job_id, endpoint, is_active) VALUES ($1, $2, 0) \
                              ON CONFLICT (job_id, endpoint) DO NOTHING";
        let mut transaction = self.begin(ATTEMPT).await?;
        let job_id = job_row::id(&mut transaction, name, version).await?;
        let wanted: Vec<_> =
            sqlx::query_scalar::<_, String>("SELECT endpoint FROM public_endpoints WHERE job_id = $1")
                .bind(job_id.clone())
                .fetch_all(&mut *transaction)
                .await
                .map_err(attempt(ATTEMPT))?;
        for former in wanted.iter().filter(|former| !endpoints.contains(former)) {
            let removed = sqlx::query("DELETE FROM public_endpoints WHERE job_id = $1 AND endpoint = $2");
            let removed = removed.bind(job_id.clone()).bind(text(former)).execute(&mut *transaction);
            removed.await.map_err(attempt(ATTEMPT))?;
        }
        for endpoint in endpoints {
            let inserted =
                sqlx::query(INSERT).bind(job_id.clone()).bind(text(endpoint)).execute(&mut *transaction);
            inserted.await.map_err(attempt(ATTEMPT))?;
        }
        self.commit(transaction, ATTEMPT, [Change::Access]).await
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
        const ATTEMPT: &str = "open or close a public endpoint";
        let mut transaction = self.begin(ATTEMPT).await?;
        let job_id = job_row::id(&mut transaction, name, version).await?;
        let query = "UPDATE public_endpoints SET is_active = $3 WHERE job_id = $1 AND endpoint = $2";
        let query = sqlx::query(query).bind(job_id).bind(text(endpoint)).bind(i64::from(is_active));
        if query.execute(&mut *transaction).await.map_err(attempt(ATTEMPT))?.rows_affected() == 0 {
            let (name, version, endpoint) = (name.to_owned(), version.to_owned(), endpoint.to_owned());
            return Err(NotFound::PublicEndpoint { name, version, endpoint }.into());
        }
        self.commit(transaction, ATTEMPT, [Change::Access]).await
    }
}
