//! Granting and revoking permissions.

use crate::error::StoreError;
use crate::memory::change::Change;
use crate::records::permission::{self, Permission};
use crate::records::subject::{self, Subject};
use crate::store::Store;
use crate::transaction::commit;

impl Store {
    /// Gives permissions to a subject, all or none. Those it has already stay as they are.
    ///
    /// # Errors
    /// [`NotFound`](crate::NotFound) when the subject, a family or a job is not there.
    pub async fn grant(&self, subject: &Subject, permissions: &[Permission]) -> Result<(), StoreError> {
        let granted = self.write("grant permissions", async |transaction| {
            let subject_id = subject::ensure(transaction, subject).await?;
            for permission in permissions {
                permission::insert(transaction, &subject_id, permission).await?;
            }
            Ok(commit((), [Change::Access]))
        });
        granted.await
    }

    /// Takes a permission from a subject; says whether it had it.
    pub async fn revoke(&self, subject: &Subject, permission: &Permission) -> Result<bool, StoreError> {
        let revoked = self.write("revoke a permission", async |transaction| {
            let subject_id = subject::ensure(transaction, subject).await?;
            let had_it = permission::delete(transaction, &subject_id, permission).await?;
            Ok(commit(had_it, [Change::Access]))
        });
        revoked.await
    }
}
