//! Jobs: what is deployed, and what once was.

use std::sync::Arc;

use racetrack_core::Job;

use crate::error::{StoreError, attempt};
use crate::memory::change::Change;
use crate::records::deleted_job::DeletedJob;
use crate::records::job::JobRecord;
use crate::records::row::{optional_text, text};
use crate::records::{job_family, job_row, token};
use crate::store::Store;

impl Store {
    /// The job of exactly this version, whatever its status.
    pub async fn job(&self, name: &str, version: &str) -> Result<Arc<JobRecord>, StoreError> {
        Ok(self.jobs().await?.get(name, version)?.clone())
    }

    /// The job that an address means: its version may be an alias. See [`JobTable::resolve`](crate::JobTable::resolve).
    pub async fn resolve_job(
        &self,
        name: &str,
        version_or_alias: &str,
    ) -> Result<Arc<JobRecord>, StoreError> {
        Ok(self.jobs().await?.resolve(name, version_or_alias)?.clone())
    }

    /// Keeps a job, and makes its family when it is the first of it.
    ///
    /// A version that is there is overwritten except for its id and `create_time`, and is not stale any more.
    pub async fn save_job(&self, job: &Job, image_names: &[String]) -> Result<JobRecord, StoreError> {
        self.save(job, image_names, None).await
    }

    /// Like [`save_job`](Self::save_job), for the job that a deployment brings up: by that, a deployment that was torn
    /// off is told from one that was done.
    pub async fn save_deployed_job(
        &self,
        job: &Job,
        image_names: &[String],
        deployment_id: &str,
    ) -> Result<JobRecord, StoreError> {
        self.save(job, image_names, Some(deployment_id)).await
    }

    async fn save(
        &self,
        job: &Job,
        image_names: &[String],
        deployment_id: Option<&str>,
    ) -> Result<JobRecord, StoreError> {
        const ATTEMPT: &str = "save a job";
        let mut transaction = self.begin(ATTEMPT).await?;
        let saved = async {
            job_family::ensure(&mut transaction, &job.name).await?;
            job_row::upsert(&mut transaction, job, image_names, deployment_id).await
        };
        let saved = saved.await.map_err(attempt(ATTEMPT))?;
        self.commit(transaction, ATTEMPT, [Change::JobsSaved(vec![saved.clone()])]).await?;
        Ok(saved)
    }

    /// Changes one job; says whether anything changed. What `change` sees, no other write comes between.
    ///
    /// Name, version and id stay, whatever `change` does to them.
    pub async fn update_job(
        &self,
        name: &str,
        version: &str,
        change: impl FnOnce(&mut JobRecord) + Send,
    ) -> Result<bool, StoreError> {
        const ATTEMPT: &str = "update a job";
        let mut transaction = self.begin(ATTEMPT).await?;
        let found = job_row::find(&mut transaction, name, version).await.map_err(attempt(ATTEMPT))?;
        let Some(record) = found else {
            drop(transaction);
            return Err(self.jobs().await?.missing(name, version).into());
        };
        let mut changed = record.clone();
        change(&mut changed);
        if changed == record {
            return Ok(false);
        }
        let updated = job_row::update(&mut transaction, &record.id, &changed).await;
        let updated = updated.map_err(attempt(ATTEMPT))?;
        self.commit(transaction, ATTEMPT, [Change::JobsSaved(vec![updated])]).await?;
        Ok(true)
    }

    /// Shows every job to `change`, and writes those that it changes, all or none; says how many.
    ///
    /// Name, version and id stay, whatever `change` does to them.
    pub async fn update_jobs(
        &self,
        mut change: impl FnMut(&mut JobRecord) + Send,
    ) -> Result<usize, StoreError> {
        const ATTEMPT: &str = "update the jobs";
        let turn = self.turn(ATTEMPT).await?;
        let table = self.jobs().await?;
        let mut changed = Vec::new();
        for row in table.as_slice() {
            let mut record = JobRecord::clone(row);
            change(&mut record);
            if record != **row {
                changed.push((&row.id, record));
            }
        }
        if changed.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.begin_in(turn, ATTEMPT).await?;
        let mut updated = Vec::with_capacity(changed.len());
        for (id, record) in &changed {
            let outcome = job_row::update(&mut transaction, id, record).await;
            // If somebody else deleted the row, later calls would fail like this one until the jobs are read again.
            let outcome = outcome.inspect_err(|_| self.reread_jobs());
            updated.push(outcome.map_err(attempt(ATTEMPT))?);
        }
        self.commit(transaction, ATTEMPT, [Change::JobsSaved(updated)]).await?;
        Ok(changed.len())
    }

    /// Deletes a job with its permissions and public endpoints, and remembers that its version was taken. With the last job
    /// of a family its tokens go, too.
    pub async fn delete_job(
        &self,
        name: &str,
        version: &str,
        deleted_by: Option<&str>,
        delete_time: i64,
    ) -> Result<(), StoreError> {
        self.remove_job(name, version, Some((deleted_by, delete_time))).await
    }

    /// Removes a job that never came up, with its permissions and public endpoints; its version stays free. With the last
    /// job of a family its tokens go, too.
    pub async fn forget_job(&self, name: &str, version: &str) -> Result<(), StoreError> {
        self.remove_job(name, version, None).await
    }

    /// The last deletion of this version, if there was one.
    pub async fn deleted_job(&self, name: &str, version: &str) -> Result<Option<DeletedJob>, StoreError> {
        let found = sqlx::query_as("SELECT * FROM deleted_jobs WHERE name = $1 AND version = $2")
            .bind(text(name))
            .bind(text(version))
            .fetch_optional(self.reader());
        found.await.map_err(attempt("look for a deleted job"))
    }

    async fn remove_job(
        &self,
        name: &str,
        version: &str,
        deletion: Option<(Option<&str>, i64)>,
    ) -> Result<(), StoreError> {
        const ATTEMPT: &str = "delete a job";
        let mut transaction = self.begin(ATTEMPT).await?;
        let removed = sqlx::query("DELETE FROM jobs WHERE name = $1 AND version = $2")
            .bind(text(name))
            .bind(text(version))
            .execute(&mut *transaction);
        if removed.await.map_err(attempt(ATTEMPT))?.rows_affected() == 0 {
            drop(transaction);
            return Err(self.jobs().await?.missing(name, version).into());
        }
        if let Some((deleted_by, delete_time)) = deletion {
            let remembered = sqlx::query(
                "INSERT INTO deleted_jobs (name, version, deleted_by, delete_time) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (name, version) DO UPDATE \
                 SET deleted_by = excluded.deleted_by, delete_time = excluded.delete_time",
            );
            let remembered = remembered.bind(text(name)).bind(text(version));
            let remembered = remembered.bind(optional_text(deleted_by)).bind(delete_time);
            remembered.execute(&mut *transaction).await.map_err(attempt(ATTEMPT))?;
        }
        // What is left of its processes must not act on behalf of a family that has no job.
        let ended = token::delete_of_family_without_jobs(&mut transaction, name).await;
        ended.map_err(attempt(ATTEMPT))?;
        let removed = Change::JobRemoved { name: text(name), version: text(version) };
        // Its permissions and public endpoints went with it.
        self.commit(transaction, ATTEMPT, [removed, Change::Access]).await
    }
}
