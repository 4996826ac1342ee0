//! Jobs: what is deployed, and what once was.

use std::sync::Arc;

use racetrack_core::Job;

use crate::error::{StoreError, attempt};
use crate::memory::change::Change;
use crate::records::deleted_job::{self, DeletedJob};
use crate::records::job::JobRecord;
use crate::records::row::text;
use crate::records::{job_family, job_row, token};
use crate::store::Store;
use crate::transaction::{commit, roll_back};

impl Store {
    /// The job of exactly this version, whatever its status.
    pub async fn job(&self, name: &str, version: &str) -> Result<Arc<JobRecord>, StoreError> {
        Ok(self.jobs().await?.get(name, version)?.clone())
    }

    /// The job that an address means: its version may be an alias. See
    /// [`JobTable::resolve`](crate::JobTable::resolve).
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

    /// Like [`save_job`](Self::save_job), for the job that a deployment brings up: by that, a deployment that
    /// was torn off is distinguished from one that was done.
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
        let saved = self.write("save a job", async |transaction| {
            job_family::ensure(transaction, &job.name).await?;
            let saved = job_row::upsert(transaction, job, image_names, deployment_id).await?;
            Ok(commit(saved.clone(), [Change::JobsSaved(vec![saved])]))
        });
        saved.await
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
        let updated = self.write("update a job", async |transaction| {
            let Some(record) = job_row::find(transaction, name, version).await? else {
                return Ok(roll_back(None));
            };
            let mut changed = record.clone();
            change(&mut changed);
            if changed == record {
                return Ok(roll_back(Some(false)));
            }
            let updated = job_row::update(transaction, &record.id, &changed).await?;
            Ok(commit(Some(true), [Change::JobsSaved(vec![updated])]))
        });
        match updated.await? {
            Some(is_changed) => Ok(is_changed),
            None => Err(self.jobs().await?.missing(name, version).into()),
        }
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
        let updated = self.write_in(turn, ATTEMPT, async |transaction| {
            let mut updated = Vec::with_capacity(changed.len());
            for (id, record) in &changed {
                let outcome = job_row::update(transaction, id, record).await;
                // If somebody else deleted the row, later calls would fail like this one until the jobs are
                // read again.
                updated.push(outcome.inspect_err(|_| self.reread_jobs())?);
            }
            Ok(commit(changed.len(), [Change::JobsSaved(updated)]))
        });
        updated.await
    }

    /// Deletes a job with its permissions and public endpoints, and remembers that its version was taken.
    /// With the last job of a family its tokens go, too.
    pub async fn delete_job(
        &self,
        name: &str,
        version: &str,
        deleted_by: Option<&str>,
        delete_time: i64,
    ) -> Result<(), StoreError> {
        self.remove_job(name, version, Some((deleted_by, delete_time))).await
    }

    /// Removes a job that never came up, with its permissions and public endpoints; its version stays free.
    /// With the last job of a family its tokens go, too.
    pub async fn forget_job(&self, name: &str, version: &str) -> Result<(), StoreError> {
        self.remove_job(name, version, None).await
    }

    /// The last deletion of this version, if there was one.
    pub async fn deleted_job(&self, name: &str, version: &str) -> Result<Option<DeletedJob>, StoreError> {
        let found = deleted_job::find(self.reader(), name, version).await;
        found.map_err(attempt("look for a deleted job"))
    }

    async fn remove_job(
        &self,
        name: &str,
        version: &str,
        deletion: Option<(Option<&str>, i64)>,
    ) -> Result<(), StoreError> {
        let removed = self.write("delete a job", async |transaction| {
            if !job_row::delete(transaction, name, version).await? {
                return Ok(roll_back(false));
            }
            if let Some((deleted_by, delete_time)) = deletion {
                deleted_job::save(transaction, name, version, deleted_by, delete_time).await?;
            }
            // What is left of its processes must not act on behalf of a family that has no job.
            token::delete_of_family_without_jobs(transaction, name).await?;
            let removed = Change::JobRemoved { name: text(name), version: text(version) };
            // Its permissions and public endpoints went with it.
            Ok(commit(true, [removed, Change::Access]))
        });
        if !removed.await? {
            return Err(self.jobs().await?.missing(name, version).into());
        }
        Ok(())
    }
}
