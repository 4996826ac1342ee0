//! What makes retention look before its interval is over.

use tokio::sync::Notify;

/// Notifies retention of jobs that are deleted.
#[derive(Debug, Default)]
pub(crate) struct RetentionTrigger(Notify);

impl RetentionTrigger {
    /// A job was deleted: what it needed may be needed no longer.
    pub(crate) fn job_deleted(&self) {
        self.0.notify_one();
    }

    /// Waits until a job is deleted; ready at once when one was deleted since the last time.
    pub(super) async fn triggered(&self) {
        self.0.notified().await;
    }
}
