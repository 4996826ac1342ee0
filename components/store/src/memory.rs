//! The tables in memory, and what writes make of them.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;

use crate::access::AccessTable;
use crate::cache::Cache;
use crate::job::JobRecord;
use crate::job_table::JobTable;
use crate::setting::Settings;

/// The tables in memory.
pub(crate) struct Memory {
    pub(crate) jobs: Cache<JobTable>,
    pub(crate) access: Cache<AccessTable>,
    pub(crate) settings: Cache<Settings>,
    /// Counts the changes of who may do what. Unlike the version of the table, it leaves out that tokens were used.
    pub(crate) rights: watch::Sender<u64>,
}

/// What a write changes in a table in memory.
///
/// What is written often is known in full, and is changed in memory as in the database. After the rest, which is
/// seldom, the next reader reads the table again.
#[derive(Debug)]
pub(crate) enum Change {
    /// These jobs are there now, as they are here.
    JobsSaved(Vec<JobRecord>),
    /// This job is there no more.
    JobRemoved { name: String, version: String },
    /// Tokens were used: their ids and when.
    TokensUsed(HashMap<String, i64>),
    /// Something else about who may do what.
    Access,
    /// Some setting.
    Settings,
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

    /// Takes over a change that the database has. The changes of two writes come in the order of their commits.
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
