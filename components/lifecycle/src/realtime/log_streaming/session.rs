//! One session of one client: from the subscription to the end.

use std::sync::Arc;

use racetrack_core::error::chain;
use racetrack_core::text::{BoundedText, TextLimit};
use racetrack_core::{LogsSession, OnLine};
use socketioxide::extract::SocketRef;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::follower::Follower;
use super::open_sessions::OpenSessions;
use super::source::{Client, LogSource};
use super::streamer::Streamer;
use super::subscription::{Refusal, ResourceProperties, Subscription};
use crate::auth::Admission;

/// A session that its streamer has created.
pub(super) struct Session {
    id: String,
    stop: oneshot::Sender<()>,
    following: JoinHandle<()>,
    /// Keeps the session from ending before the client knows of it, even when its streamer has let go of it.
    until_acknowledged: Option<mpsc::Sender<String>>,
}

impl Session {
    /// Finds the streamer of the job, and asks it for a session. Lines may come from now on.
    pub(super) async fn open(
        source: &Arc<LogSource>,
        sessions: &Arc<OpenSessions>,
        socket: &SocketRef,
        client: Client<'_>,
        subscription: Subscription,
    ) -> Result<Self, Refusal> {
        let ResourceProperties { job_name, job_version, tail } = subscription.resource_properties;
        let place = sessions.enter().ok_or(Refusal::Stopping)?;
        // Before the job is looked up, so that no change of it is missed.
        let changes = source.store.changes();
        let admitted = (source.admit)(client, &job_name, &job_version).await;
        let Admission { record, lost } = admitted.map_err(Refusal::Denied)?;
        let job = &record.job;
        let streamer = streamer(source, job.infrastructure_target.as_deref())?;

        let id = format!("{}_{}_{}", socket.id, job.name, job.version);
        let mut session = LogsSession::new(&id, &job.name, &job.version);
        session.tail = tail;
        let (sender, lines) = mpsc::channel(1);
        let (stop, stopped) = oneshot::channel();
        let follower = Follower {
            store: source.store.clone(),
            changes,
            job: Arc::clone(&record),
            lost,
            streamer: streamer.clone(),
            session_id: id.clone(),
            socket: socket.clone(),
            lines,
            stopped,
            _place: place,
        };
        let following = tokio::spawn(follower.run());
        let on_line = on_line(sender.clone());
        let opened = Self { id, stop, following, until_acknowledged: Some(sender) };
        if let Err(failure) = streamer.create_session(session, on_line).await {
            // It may be there nevertheless, for example when it was created too late.
            opened.close().await;
            return Err(Refusal::Session(failure));
        }
        Ok(opened)
    }

    /// Names the session.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The client knows of the session.
    pub(super) fn acknowledged(&mut self) {
        self.until_acknowledged = None;
    }

    /// Ends the session, if it has not ended by itself, and waits until its streamer has closed it.
    pub(super) async fn close(self) {
        // It hears nothing when it has ended by itself.
        let _ = self.stop.send(());
        if let Err(error) = self.following.await {
            tracing::error!(session = self.id, error = chain(&error), "a session of a reader of logs broke");
        }
    }
}

fn streamer(source: &LogSource, target: Option<&str>) -> Result<Streamer, Refusal> {
    let target = target.ok_or(Refusal::NoTarget)?;
    let targets = (source.targets)();
    let offer = targets.get(target);
    let offer = offer.ok_or_else(|| Refusal::UnknownTarget { target: target.to_owned() })?;
    let streamer = Streamer::of(target, offer, &source.hooks, source.limits.streamer_call);
    streamer.ok_or_else(|| Refusal::NoStreamer { target: target.to_owned() })
}

/// Ready when the line before the one it takes has reached the client. After the end of the session it ignores lines,
/// so that a streamer is not held up before it is told to close. A line that is too long for a message is cut.
fn on_line(sender: mpsc::Sender<String>) -> OnLine {
    Arc::new(move |line| {
        let sender = sender.clone();
        Box::pin(async move {
            let _ = sender.send(BoundedText::new(line, TextLimit::LINE).into()).await;
        })
    })
}
