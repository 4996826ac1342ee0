//! The open sessions of people who follow logs.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

/// The tasks of the open sessions, by the ids of these.
#[derive(Debug, Default)]
pub(crate) struct SessionTable(Mutex<HashMap<String, AbortHandle>>);

impl SessionTable {
    /// Adds a session. A former one with the same id ends.
    pub(crate) fn add(&self, id: String, task: AbortHandle) {
        if let Some(former) = self.tasks().insert(id, task) {
            former.abort();
        }
    }

    /// Ends the session with this id, if there is one.
    pub(crate) fn close(&self, id: &str) {
        if let Some(task) = self.tasks().remove(id) {
            task.abort();
        }
    }

    /// Ends every session.
    pub(crate) fn close_all(&self) {
        for task in mem::take(&mut *self.tasks()).into_values() {
            task.abort();
        }
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<String, AbortHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
