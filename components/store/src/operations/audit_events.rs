//! Writing and listing the audit trail.

use crate::error::{StoreError, attempt};
use crate::records::audit_event::{self, AuditEvent, AuditFilter, NewAuditEvent};
use crate::records::visibility::Visibility;
use crate::store::Store;
use crate::transaction::commit;

impl Store {
    /// Adds an event, dated now. Texts among its properties are cut to
    /// [`TextLimit::NOTE`](racetrack_core::TextLimit::NOTE).
    pub async fn add_audit_event(&self, new: &NewAuditEvent) -> Result<(), StoreError> {
        let added = self.write("add an audit event", async |transaction| {
            audit_event::insert(transaction, self.clock().tick(), new).await?;
            Ok(commit((), []))
        });
        added.await
    }

    /// The latest events that meet the filter, of those that somebody is shown, newest first.
    pub async fn audit_events(
        &self,
        filter: &AuditFilter,
        visibility: &Visibility,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, StoreError> {
        let found = audit_event::latest(self.reader(), filter, visibility, limit).await;
        found.map_err(attempt("list the audit events"))
    }
}
