//! Granting and revoking permissions.

use crate::error::{StoreError, attempt};
use crate::memory::change::Change;
use crate::records::permission::{self, Permission};
use crate::records::row::text;
use crate::records::subject::{self, Subject};
use crate::store::Store;

impl Store {
    /// Gives permissions to a subject, all or none. Those it has already stay as they are.
    ///
    /// # Errors
    /// [`NotFound`](crate::NotFound) when the subject, a family or a job is not there.
    pub async fn grant(&self, subject: &Subject, permissions: &[Permission]) -> Result<(), StoreError> {
        const ATTEMPT: &str = "grant permissions";
        let mut transaction = self.begin(ATTEMPT).await?;
        let subject_id = subject::ensure(&mut transaction, subject).await?;
        for permission in permissions {
            permission::insert(&mut transaction, &subject_id, permission).await?;
        }
        self.commit(transaction, ATTEMPT, [Change::Access]).await
    }

    /// Takes a permission from a subject; says whether it had it.
    pub async fn revoke(&self, subject: &Subject, permission: &Permission) -> Result<bool, StoreError> {
        const ATTEMPT: &str = "revoke a permission";
        const DELETE: &str = "\
            DELETE FROM permissions WHERE subject_id = $1 AND scope = $2 AND COALESCE(job_family, '') = $3 \
            AND COALESCE(job_id, '') = $4 AND COALESCE(endpoint, '') = $5";
        let mut transaction = self.begin(ATTEMPT).await?;
        let subject_id = subject::ensure(&mut transaction, subject).await?;
        let job_id = permission::job_id(&mut transaction, permission).await?;
        let deleted = sqlx::query(DELETE)
            .bind(subject_id)
            .bind(permission.scope.as_str())
            .bind(text(permission.job_family.as_deref().unwrap_or_default()))
            .bind(job_id.unwrap_or_default())
            .bind(text(permission.endpoint.as_deref().unwrap_or_default()))
            .execute(&mut *transaction);
        let count = deleted.await.map_err(attempt(ATTEMPT))?.rows_affected();
        self.commit(transaction, ATTEMPT, [Change::Access]).await?;
        Ok(count > 0)
    }
}
