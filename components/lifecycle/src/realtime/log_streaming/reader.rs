//! One client: what it asks for, and its session.

use std::sync::Arc;

use racetrack_core::error::chain;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use socketioxide::extract::{AckSender, SocketRef, TryData};
use socketioxide::{AckError, SendError};
use tokio::sync::Mutex;

use super::open_sessions::OpenSessions;
use super::session::Session;
use super::subscription::{Refusal, Subscription};
use super::{Client, LogSource};

/// A client that is connected.
struct Reader {
    source: Arc<LogSource>,
    sessions: Arc<OpenSessions>,
    /// What it sent when it connected.
    auth: Value,
    /// Locked while it is being replaced, so that a client has one session at most.
    session: Mutex<Option<Session>>,
}

/// Why a client does not get a line.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeliveryError {
    #[error("the line cannot be sent")]
    Send(#[source] SendError),
    #[error("the line was not acknowledged")]
    Acknowledgement(#[source] AckError),
}

/// The payload of `logs_nextline`.
#[derive(Serialize)]
struct NextLine {
    line: String,
}

/// Answers the events of a client.
pub(super) fn attach(socket: &SocketRef, source: &Arc<LogSource>, sessions: &Arc<OpenSessions>, auth: Value) {
    let reader = Arc::new(Reader {
        source: Arc::clone(source),
        sessions: Arc::clone(sessions),
        auth,
        session: Mutex::default(),
    });
    let leaving = Arc::clone(&reader);
    socket.on(
        "subscribe_for_logs",
        async move |socket: SocketRef, TryData(subscription): TryData<Subscription>, ack: AckSender| {
            let subscription = subscription.map_err(Refusal::Payload);
            reader.subscribe(socket, subscription, ack).await;
        },
    );
    socket.on_disconnect(async move || leaving.leave().await);
}

/// Sends a line to the client, and waits until it has acknowledged it.
pub(super) async fn deliver(socket: &SocketRef, mut line: String) -> Result<(), DeliveryError> {
    if !line.ends_with('\n') {
        line.push('\n');
    }
    let sent = socket.emit_with_ack::<_, IgnoredAny>("logs_nextline", &NextLine { line });
    match sent.map_err(DeliveryError::Send)?.await {
        // What the client acknowledges with is its own business.
        Ok(IgnoredAny) | Err(AckError::Decode(_)) => Ok(()),
        Err(error) => Err(DeliveryError::Acknowledgement(error)),
    }
}

/// Disconnects the client.
pub(super) fn disconnect(socket: SocketRef) {
    if let Err(error) = socket.disconnect() {
        tracing::warn!(error = chain(&error), "a reader of logs could not be told that it is disconnected");
    }
}

impl Reader {
    async fn subscribe(
        &self,
        socket: SocketRef,
        subscription: Result<Subscription, Refusal>,
        ack: AckSender,
    ) {
        let mut current = self.session.lock().await;
        if let Some(former) = current.take() {
            former.close().await;
        }
        // It may have gone away while it waited for its turn, and nobody would close its session then.
        if !socket.connected() {
            return;
        }
        let opened = match subscription {
            Ok(subscription) => {
                let client = Client { request: socket.req_parts(), auth: &self.auth };
                Session::open(&self.source, &self.sessions, &socket, client, subscription).await
            }
            Err(refusal) => Err(refusal),
        };
        match opened {
            Ok(mut session) => {
                acknowledge(ack, session.id());
                session.acknowledged();
                *current = Some(session);
            }
            Err(refusal) => {
                drop(current);
                refuse(socket, ack, &refusal).await;
            }
        }
    }

    async fn leave(&self) {
        if let Some(session) = self.session.lock().await.take() {
            session.close().await;
        }
    }
}

/// Tells the client why it will get no lines, in the only way in which the user in front of it sees it.
async fn refuse(socket: SocketRef, ack: AckSender, refusal: &Refusal) {
    tracing::warn!(client = %socket.id, error = chain(refusal), "a subscription for logs is refused");
    acknowledge(ack, &Value::Null);
    let line = format!("The logs cannot be followed: {}", refusal.public_text());
    if let Err(error) = deliver(&socket, line).await {
        tracing::debug!(client = %socket.id, error = chain(&error), "a refused reader of logs does not listen");
    }
    if socket.connected() {
        disconnect(socket);
    }
}

fn acknowledge(ack: AckSender, answer: &(impl Serialize + ?Sized)) {
    if let Err(error) = ack.send(answer) {
        tracing::debug!(error = chain(&error), "a reader of logs went away before it was answered");
    }
}
