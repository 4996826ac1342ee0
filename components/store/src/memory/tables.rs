//! The tables in memory, and how they take over what is written.

use std::sync::Arc;

use tokio::sync::watch;

use super::access_table::AccessTable;
use super::cache::{Cache, LoadTimeout};
use super::change::Change;
use super::job_table::JobTable;
use super::settings::Settings;
use crate::error::StoreError;

/// The tables in memory.
pub(crate) struct Memory {
    pub(crate) jobs: Cache<JobTable>,
    pub(crate) access: Cache<AccessTable>,
    pub(crate) settings: Cache<Settings>,
    /// Counts the changes of who may do what. Unlike the version of the table, it leaves out that tokens were
    /// used.
    pub(crate) rights: watch::Sender<u64>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            jobs: Cache::new(),
            access: Cache::new(),
            settings: Cache::new(),
            rights: watch::Sender::new(0),
        }
    }

    /// Takes over a change that the database has. The changes of two writes come in the order of their
    /// commits.
    pub(crate) fn apply(&self, change: Change) {
        match change {
            Change::JobsSaved(records) => self.jobs.patch(|table| {
                for record in records {
                    table.put(Arc::new(record));
                }
            }),
            Change::JobRemoved { name, version } => self.jobs.patch(|table| table.remove(&name, &version)),
            Change::TokensUsed(uses) => self.access.patch(|table| table.note_uses(&uses)),
            Change::Access | Change::Settings => self.reread(&change),
        }
    }

    /// Has the table of a change read again: whether the database has the change is not known.
    pub(crate) fn reread(&self, change: &Change) {
        match change {
            Change::JobsSaved(_) | Change::JobRemoved { .. } => self.jobs.invalidate(),
            Change::TokensUsed(_) | Change::Access => {
                self.access.invalidate();
                self.rights.send_modify(|count| *count += 1);
            }
            Change::Settings => self.settings.invalidate(),
        }
    }
}

impl From<LoadTimeout> for StoreError {
    fn from(LoadTimeout { limit }: LoadTimeout) -> Self {
        Self::Silent { limit }
    }
}
