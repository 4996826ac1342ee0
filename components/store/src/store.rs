//! The store: a database, and the tables of it that are kept in memory.

use std::fmt;
use std::sync::Arc;

use sqlx::{Any, Transaction};
use tokio::sync::watch;

use crate::access::AccessTable;
use crate::cache::Cache;
use crate::clock::Clock;
use crate::database::Database;
use crate::database_url::DatabaseUrl;
use crate::error::{StoreError, attempt};
use crate::job_table::JobTable;
use crate::setting::Settings;

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
    jobs: Cache<JobTable>,
    access: Cache<AccessTable>,
    settings: Cache<Settings>,
}

/// The tables in memory, which a write names when it changes what they are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cached {
    Jobs,
    Access,
    Settings,
}

impl Store {
    /// Connects to the database, and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::File`], [`StoreError::Open`] or [`StoreError::Migrate`], all naming the database.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        Ok(Self(Arc::new(Inner {
            url: url.clone(),
            database: Database::open(url).await?,
            clock: Clock::default(),
            jobs: Cache::new(),
            access: Cache::new(),
            settings: Cache::new(),
        })))
    }

    /// The database, as it was opened.
    pub fn url(&self) -> &DatabaseUrl {
        &self.0.url
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let answer = sqlx::query("SELECT 1").execute(self.reader()).await;
        answer.map(drop).map_err(attempt("ask for a sign of life"))
    }

    /// Waits for what is under way, and closes every connection. Every later operation fails.
    pub async fn close(&self) {
        self.0.database.close().await;
    }

    /// Counts the changes of jobs; a receiver can wait for the next one.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.jobs.versions()
    }

    /// Every job, as of the last change.
    pub async fn jobs(&self) -> Result<Arc<JobTable>, StoreError> {
        self.0.jobs.get(JobTable::load(self)).await
    }

    /// Who may do what, as of the last change.
    pub async fn access(&self) -> Result<Arc<AccessTable>, StoreError> {
        self.0.access.get(AccessTable::load(self)).await
    }

    pub(crate) async fn settings(&self) -> Result<Arc<Settings>, StoreError> {
        self.0.settings.get(Settings::load(self)).await
    }

    pub(crate) fn reader(&self) -> &sqlx::AnyPool {
        &self.0.database.reader
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) async fn begin(&self, what: &'static str) -> Result<Transaction<'static, Any>, StoreError> {
        self.0.database.begin().await.map_err(attempt(what))
    }

    /// Commits, and then drops the tables in memory that the transaction changed.
    ///
    /// In a task of its own: were the caller dropped meanwhile, the database could have the change and the tables in
    /// memory never hear of it.
    pub(crate) async fn commit(
        &self,
        transaction: Transaction<'static, Any>,
        what: &'static str,
        changed: &'static [Cached],
    ) -> Result<(), StoreError> {
        let store = self.clone();
        let committing = tokio::spawn(async move {
            let outcome = transaction.commit().await;
            // After a failure too: whether the database has the change is unknown then.
            store.invalidate(changed);
            outcome
        });
        let outcome = committing.await.unwrap_or(Err(sqlx::Error::WorkerCrashed));
        outcome.map_err(attempt(what))
    }

    fn invalidate(&self, changed: &[Cached]) {
        for table in changed {
            match table {
                Cached::Jobs => self.0.jobs.invalidate(),
                Cached::Access => self.0.access.invalidate(),
                Cached::Settings => self.0.settings.invalidate(),
            }
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(self.url()).finish()
    }
}
