//! Hands the lines of a session to its client, and sees when it is over.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use racetrack_core::error::chain;
use racetrack_store::{JobRecord, Store, StoreError};
use socketioxide::extract::SocketRef;
use tokio::sync::{mpsc, oneshot, watch};

use super::delivery::{DeliveryError, deliver, disconnect};
use super::open_sessions::OpenSession;
use super::streamer::Streamer;

/// What a session works with while it is open.
pub(super) struct Follower {
    pub(super) store: Store,
    pub(super) changes: watch::Receiver<u64>,
    pub(super) job: Arc<JobRecord>,
    /// Ready when the job's log may not be followed any more.
    pub(super) lost: BoxFuture<'static, ()>,
    pub(super) streamer: Streamer,
    pub(super) session_id: String,
    pub(super) socket: SocketRef,
    pub(super) lines: mpsc::Receiver<String>,
    pub(super) stopped: oneshot::Receiver<()>,
    pub(super) _place: OpenSession,
}

/// Why a session ends.
#[derive(Debug)]
enum End {
    /// The client went away, or subscribes anew.
    Stopped,
    /// The job was deleted or moved.
    JobIsGone,
    /// Whoever follows may not read the job any more.
    NotAllowed,
    /// The streamer let go of the session.
    LogEnded,
    /// The client does not take its lines.
    NotDelivered(DeliveryError),
}

impl Follower {
    /// Runs until the session is over and its streamer has closed it.
    pub(super) async fn run(mut self) {
        let end = tokio::select! {
            // When the sender is dropped, nobody waits for the session either.
            _ = &mut self.stopped => End::Stopped,
            () = until_gone(&self.store, &mut self.changes, &self.job) => End::JobIsGone,
            () = &mut self.lost => End::NotAllowed,
            end = hand_out(&self.socket, &mut self.lines) => end,
        };
        let session = &self.session_id;
        if let End::NotDelivered(error) = &end {
            tracing::info!(session, error = chain(error), "a reader of logs is too slow");
        } else {
            tracing::debug!(session, ?end, "a session of a reader of logs ends");
        }
        // From here on the streamer is not held up by lines that nobody will take.
        self.lines.close();
        if let Err(failure) = self.streamer.close_session(session).await {
            tracing::warn!(
                session,
                error = chain(&failure),
                "a session of a reader of logs may be left behind"
            );
        }
        if !matches!(end, End::Stopped) && self.socket.connected() {
            disconnect(self.socket);
        }
    }
}

async fn hand_out(socket: &SocketRef, lines: &mut mpsc::Receiver<String>) -> End {
    while let Some(line) = lines.recv().await {
        if let Err(error) = deliver(socket, line).await {
            return End::NotDelivered(error);
        }
    }
    End::LogEnded
}

/// Waits until the job is no more on the target where it was. It stays there while it is deployed anew.
async fn until_gone(store: &Store, changes: &mut watch::Receiver<u64>, before: &JobRecord) {
    let target = &before.job.infrastructure_target;
    while changes.changed().await.is_ok() {
        match store.job(&before.job.name, &before.job.version).await {
            Ok(now) if now.job.infrastructure_target.is_none() => {}
            Ok(now) if now.job.infrastructure_target == *target => {}
            Ok(_) | Err(StoreError::NotFound(_)) => return,
            Err(error) => {
                let job = &before.job.name;
                // That the database is away is reported once, and not by each who follows a log.
                tracing::debug!(job, error = chain(&error), "whether a job is still there cannot be told");
            }
        }
    }
}
