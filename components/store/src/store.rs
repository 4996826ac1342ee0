//! The store: a database, and the tables of it in memory.

use std::fmt;
use std::sync::Arc;

use racetrack_core::shared_check::SharedCheck;
use tokio::sync::watch;

use crate::database::clock::Clock;
use crate::database::database_url::DatabaseUrl;
use crate::database::exclusion::Exclusion;
use crate::database::limited_connection::LimitedConnection;
use crate::database::pools::Database;
use crate::database::reader::Reader;
use crate::database::writer::{Turn, Write, Writer};
use crate::error::{StoreError, attempt};
use crate::memory::access_table::AccessTable;
use crate::memory::change::Change;
use crate::memory::job_table::JobTable;
use crate::memory::settings::Settings;
use crate::memory::tables::Memory;
use crate::transaction::{Ending, WorkError};

/// Everything lifecycle remembers. Clones share one database.
///
/// ```
/// use racetrack_store::{DatabaseUrl, Store};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), racetrack_store::StoreError> {
/// let store = Store::open(&DatabaseUrl::memory()).await?;
/// store.ensure_job_family("adder").await?;
/// assert_eq!(store.job_families().await?[0].name, "adder");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    url: DatabaseUrl,
    database: Database,
    clock: Clock,
    memory: Memory,
    write_check: SharedCheck<StoreError>,
}

/// The latest of what the clock has dated and is sorted by.
const LATEST: &str = "SELECT max(ms) FROM (SELECT max(update_ms) AS ms FROM deployments \
                      UNION ALL SELECT max(create_ms) FROM audit_events) AS dated";

impl Store {
    /// Connects to the database, and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::File`], [`StoreError::Open`] or [`StoreError::Migrate`], all naming the database.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Self::open_as(url, None).await
    }

    /// Like [`open`](Self::open), and keeps every other process that opens it in this way from the database,
    /// until the store is closed and dropped or the process ends. The description says who this is:
    /// `lifecycle on host, process 12`.
    ///
    /// # Errors
    /// Also [`StoreError::InUse`], naming who has it. On PostgreSQL that takes a few seconds, and the lease
    /// of a process that was killed up to ten seconds to end.
    pub async fn open_alone(url: &DatabaseUrl, description: &str) -> Result<Self, StoreError> {
        Self::open_as(url, Some(description)).await
    }

    async fn open_as(url: &DatabaseUrl, holder: Option<&str>) -> Result<Self, StoreError> {
        let database = Database::open(url, holder).await?;
        let latest = sqlx::query_scalar(LATEST).fetch_one(&database.reader).await;
        let latest: Option<i64> = latest.map_err(attempt("look when it was last written to"))?;
        Ok(Self(Arc::new(Inner {
            url: url.clone(),
            database,
            clock: Clock::after(latest.unwrap_or_default()),
            memory: Memory::new(),
            write_check: SharedCheck::new(),
        })))
    }

    /// Waits until another process has taken over a database that was [opened alone](Self::open_alone). What
    /// is in memory here may then be out of date, and every write fails.
    pub async fn taken_over(&self) -> StoreError {
        match &self.0.database.exclusion {
            Exclusion::Lease(lease) => StoreError::TakenOver { holder: lease.lost().await },
            Exclusion::Lock(_) | Exclusion::Nothing => std::future::pending().await,
        }
    }

    /// Whether no other process can have taken over the database. What acts outside of the database by itself
    /// asks this first.
    pub fn is_alone(&self) -> bool {
        match &self.0.database.exclusion {
            Exclusion::Lease(lease) => lease.is_certain(),
            Exclusion::Lock(_) | Exclusion::Nothing => true,
        }
    }

    /// The database, as it was opened.
    pub fn url(&self) -> &DatabaseUrl {
        &self.0.url
    }

    /// Waits for what is under way, for some seconds at most, and closes every connection. Every later
    /// operation fails.
    pub async fn close(&self) {
        self.0.database.close().await;
    }

    /// Counts the writes that change jobs; a receiver can wait for the next one.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.memory.jobs.versions()
    }

    /// Counts the changes of who may do what; a receiver can wait for the next one. That tokens are used is
    /// none.
    pub fn access_changes(&self) -> watch::Receiver<u64> {
        self.0.memory.rights.subscribe()
    }

    /// Every job, as of the last change.
    pub async fn jobs(&self) -> Result<Arc<JobTable>, StoreError> {
        self.0.memory.jobs.get(JobTable::load(self.reader())).await
    }

    /// Who may do what, as of the last change.
    pub async fn access(&self) -> Result<Arc<AccessTable>, StoreError> {
        self.0.memory.access.get(AccessTable::load(self.reader())).await
    }

    pub(crate) async fn settings(&self) -> Result<Arc<Settings>, StoreError> {
        self.0.memory.settings.get(Settings::load(self.reader())).await
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.0.database.reader
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.0.database.writer
    }

    pub(crate) fn write_check(&self) -> &SharedCheck<StoreError> {
        &self.0.write_check
    }

    /// Connects to the database, beside the pools, and closes that connection again.
    pub(crate) async fn connect(&self) -> Result<(), StoreError> {
        self.0.database.connect().await.map_err(attempt("connect"))
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The next turn to write.
    pub(crate) async fn turn(&self, what: &'static str) -> Result<Turn, StoreError> {
        self.0.database.writer.turn().await.map_err(attempt(what))
    }

    /// Runs the work in a transaction, when it is its turn: commits it, or undoes it if the work says so or
    /// fails.
    ///
    /// `what` names the attempt in errors: `save a job`. The work must not read through this store: it has
    /// the connection for writing, which is the only one of a database in memory.
    pub(crate) async fn write<T>(
        &self,
        what: &'static str,
        work: impl AsyncFnOnce(&mut LimitedConnection) -> Result<Ending<T>, WorkError>,
    ) -> Result<T, StoreError> {
        self.write_in(self.turn(what).await?, what, work).await
    }

    /// Like [`write`](Self::write), in a turn that the caller has.
    pub(crate) async fn write_in<T>(
        &self,
        turn: Turn,
        what: &'static str,
        work: impl AsyncFnOnce(&mut LimitedConnection) -> Result<Ending<T>, WorkError>,
    ) -> Result<T, StoreError> {
        let mut write = self.begin(turn, what).await?;
        match work(&mut write).await.map_err(|error| error.of_attempt(what))? {
            Ending::Commit { value, changes } => self.commit(write, what, changes).await.map(|()| value),
            Ending::RollBack { value } => Ok(value),
        }
    }

    /// Has the jobs read again, for the database was found to be another than memory says.
    pub(crate) fn reread_jobs(&self) {
        self.0.memory.jobs.invalidate();
    }

    /// Starts a transaction in a turn to write.
    async fn begin(&self, turn: Turn, what: &'static str) -> Result<Write, StoreError> {
        let mut write = self.0.database.writer.begin(turn).await.map_err(attempt(what))?;
        if let Exclusion::Lease(lease) = &self.0.database.exclusion
            && !lease.is_held_in(&mut write).await.map_err(attempt(what))?
        {
            return Err(StoreError::TakenOver { holder: "another process".to_owned() });
        }
        Ok(write)
    }

    /// Commits, and has the tables in memory take over what was changed.
    ///
    /// In a task of its own: were the caller dropped meanwhile, the database could have the change and the
    /// tables in memory never hear of it.
    async fn commit(&self, write: Write, what: &'static str, changes: Vec<Change>) -> Result<(), StoreError> {
        let store = self.clone();
        let committing = tokio::spawn(write.commit(move |outcome| match outcome {
            Ok(()) => changes.into_iter().for_each(|change| store.0.memory.apply(change)),
            Err(_) => changes.iter().for_each(|change| store.0.memory.reread(change)),
        }));
        let outcome = committing.await.unwrap_or(Err(sqlx::Error::WorkerCrashed));
        outcome.map_err(attempt(what))
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(self.url()).finish()
    }
}

#[cfg(test)]
mod tests {
    use racetrack_core::{Job, JobStatus};

    use super::*;
    use crate::transaction::commit;
    use crate::{DeploymentOutcome, NewDeployment};

    #[tokio::test]
    async fn after_a_failed_commit_the_jobs_are_read_again() {
        let store = Store::open(&DatabaseUrl::memory()).await.unwrap();
        let saved = store.save_job(&Job::new("adder", "1.0.0", JobStatus::Running, 0), &[]).await.unwrap();
        let before = store.jobs().await.unwrap();

        let mut renamed = saved.clone();
        renamed.job.name = "of no family".to_owned();
        let failed = store.write("fail", async |transaction| {
            // SQLite looks for the missing family when it commits, and not before.
            let statements = ["PRAGMA defer_foreign_keys = ON", "UPDATE jobs SET name = 'of no family'"];
            for statement in statements {
                sqlx::query(statement).execute(&mut *transaction).await.unwrap();
            }
            Ok(commit((), [Change::JobsSaved(vec![renamed])]))
        });
        let error = failed.await.unwrap_err();
        assert_eq!(error.to_string(), "cannot fail in the database");

        let after = store.jobs().await.unwrap();
        assert_eq!(after.as_slice(), [Arc::new(saved)]);
        assert!(!Arc::ptr_eq(&before.as_slice()[0], &after.as_slice()[0]), "it was read again");
        assert_eq!(*store.changes().borrow(), 2);
    }

    /// The clock of the machine may be set back while nothing runs.
    #[tokio::test]
    async fn what_comes_later_is_sorted_later() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::file(&folder.path().join("racetrack.db"));
        let new = NewDeployment {
            job_name: "adder".to_owned(),
            job_version: "1.0.0".to_owned(),
            manifest_yaml: String::new(),
            infrastructure_target: None,
            deployed_by: None,
            image_name: None,
        };
        let store = Store::open(&url).await.unwrap();
        let first = store.claim_deployment(&new).await.unwrap();
        store.finish_deployment(&first.id, &DeploymentOutcome::Done).await.unwrap();
        let ahead = "UPDATE deployments SET create_ms = create_ms + 7200000, update_ms = update_ms + 7200000";
        let set = store.write("set the clock", async |transaction| {
            sqlx::query(ahead).execute(transaction).await?;
            Ok(commit((), []))
        });
        set.await.unwrap();
        store.close().await;

        let again = Store::open(&url).await.unwrap();
        let second = again.claim_deployment(&new).await.unwrap();
        assert_eq!(again.latest_deployment("adder", "1.0.0").await.unwrap().unwrap().id, second.id);
        again.close().await;
    }
}
