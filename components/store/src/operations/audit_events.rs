//! Writing and listing the audit trail.

use uuid::Uuid;

use crate::error::{StoreError, attempt};
use crate::records::audit_event::{AuditEvent, AuditFilter, NewAuditEvent, bounded};
use crate::records::row::{json, name_of, optional_text, text};
use crate::records::visibility::Visibility;
use crate::store::Store;

impl Store {
    /// Adds an event, dated now. Texts among its properties are cut to [`TextLimit::NOTE`](racetrack_core::TextLimit::NOTE).
    pub async fn add_audit_event(&self, new: &NewAuditEvent) -> Result<(), StoreError> {
        const ATTEMPT: &str = "add an audit event";
        const INSERT: &str = "\
            INSERT INTO audit_events (id, create_ms, event_type, properties, username_executor, username_subject, \
                job_name, job_version) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let mut transaction = self.begin(ATTEMPT).await?;
        let inserted = async {
            let query = sqlx::query(INSERT)
                .bind(Uuid::new_v4().to_string())
                .bind(self.clock().tick())
                .bind(name_of(&new.event_type)?)
                .bind(json(&bounded(&new.properties)?)?)
                .bind(optional_text(new.username_executor.as_deref()))
                .bind(optional_text(new.username_subject.as_deref()))
                .bind(optional_text(new.job_name.as_deref()))
                .bind(optional_text(new.job_version.as_deref()));
            query.execute(&mut *transaction).await
        };
        inserted.await.map_err(attempt(ATTEMPT))?;
        self.commit(transaction, ATTEMPT, []).await
    }

    /// The latest events that meet the filter, of those that somebody is shown, newest first.
    pub async fn audit_events(
        &self,
        filter: &AuditFilter,
        visibility: &Visibility,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, StoreError> {
        const SELECT: &str = "\
            SELECT * FROM audit_events WHERE ($1 = '' OR job_name = $1) AND ($2 = '' OR job_version = $2) \
                AND ($3 = '' OR username_executor = $3 OR username_subject = $3) \
                AND ($5 = 1 OR job_name IS NULL OR REPLACE($6, '\n' || job_name || '\n', '') <> $6 \
                    OR REPLACE($7, '\n' || job_name || ' ' || COALESCE(job_version, '') || '\n', '') <> $7 \
                    OR ($8 <> '' AND create_ms >= $9 AND (username_executor = $8 OR username_subject = $8))) \
            ORDER BY create_ms DESC LIMIT $4";
        let given = |value: &Option<String>| text(value.as_deref().unwrap_or_default());
        let found = sqlx::query_as(SELECT)
            .bind(given(&filter.job_name))
            .bind(given(&filter.job_version))
            .bind(given(&filter.related_to))
            .bind(i64::from(limit));
        let found = visibility.bind(found).fetch_all(self.reader());
        found.await.map_err(attempt("list the audit events"))
    }
}
