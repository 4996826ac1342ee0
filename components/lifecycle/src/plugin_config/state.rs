//! What is shared by those who read and write configurations of plugins.

use tokio::sync::{Mutex, MutexGuard};

use super::folder::ConfigFolder;

/// The configurations that were written, and whose turn it is to write.
#[derive(Debug)]
pub(crate) struct PluginConfigs {
    pub(super) folder: ConfigFolder,
    turn: Mutex<()>,
}

impl PluginConfigs {
    pub(crate) fn new(folder: ConfigFolder) -> Self {
        Self { folder, turn: Mutex::default() }
    }

    /// Waits for the turn to write, which lasts until the guard is dropped.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}
