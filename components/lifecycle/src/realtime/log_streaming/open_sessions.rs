//! How many sessions are open, and whether there may be more.

use std::sync::Arc;

use tokio::sync::watch;

/// The number of open sessions.
#[derive(Debug, Default)]
pub(super) struct OpenSessions(watch::Sender<Count>);

/// One of them, until dropped.
#[derive(Debug)]
pub(super) struct OpenSession(Arc<OpenSessions>);

#[derive(Debug, Default)]
struct Count {
    open: usize,
    refuses_more: bool,
}

impl OpenSessions {
    /// Counts one more, unless no more are wanted.
    pub(super) fn enter(self: &Arc<Self>) -> Option<OpenSession> {
        let is_in = self.0.send_if_modified(|count| {
            if !count.refuses_more {
                count.open += 1;
            }
            !count.refuses_more
        });
        is_in.then(|| OpenSession(Arc::clone(self)))
    }

    /// From now on there are no new ones.
    pub(super) fn refuse_more(&self) {
        self.0.send_modify(|count| count.refuses_more = true);
    }

    /// Waits until none is open.
    pub(super) async fn all_ended(&self) {
        let ended = self.0.subscribe().wait_for(|count| count.open == 0).await.is_ok();
        debug_assert!(ended, "the sender is borrowed, so it is there");
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| count.open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_end_comes_when_the_last_session_ends_and_no_new_one_begins() {
        let sessions = Arc::new(OpenSessions::default());
        let (one, other) = (sessions.enter().expect("is let in"), sessions.enter().expect("is let in"));
        sessions.refuse_more();
        assert!(sessions.enter().is_none());
        drop(one);
        assert!(sessions.all_ended().now_or_never().is_none());
        drop(other);
        sessions.all_ended().await;
    }
}
