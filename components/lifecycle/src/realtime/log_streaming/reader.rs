//! One client: what it asks for, and its session.

use std::sync::Arc;
use std::time::Duration;

use racetrack_core::error::chain;
use serde::Serialize;
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, SocketRef, TryData};
use socketioxide::socket::Sid;
use tokio::sync::{Mutex, Notify};

use super::delivery::{deliver, disconnect};
use super::open_sessions::OpenSessions;
use super::session::Session;
use super::source::{Client, LogSource};
use super::subscription::{Refusal, Subscription};
use super::transports::{TransportId, Transports};

/// The namespace of clients that name none.
pub(super) const ROOT: &str = "/";

/// A client that is connected.
struct Reader {
    source: Arc<LogSource>,
    sessions: Arc<OpenSessions>,
    /// What it sent when it connected.
    auth: Value,
    /// Locked while it is being replaced, so that a client has one session at most.
    session: Mutex<Option<Session>>,
    /// It has subscribed, or is gone.
    is_not_idle: Notify,
}

/// Answers the events of a client.
pub(super) fn attach(
    socket: &SocketRef,
    source: &Arc<LogSource>,
    sessions: &Arc<OpenSessions>,
    transports: &Transports,
    auth: Value,
) {
    let limit = source.limits.idleness;
    let reader = Arc::new(Reader {
        source: Arc::clone(source),
        sessions: Arc::clone(sessions),
        auth,
        session: Mutex::default(),
        is_not_idle: Notify::new(),
    });
    let leaving = Arc::clone(&reader);
    tokio::spawn(disconnect_idle(socket.clone(), Arc::clone(&reader), limit));
    let transports = transports.clone();
    socket.on(
        "subscribe_for_logs",
        async move |socket: SocketRef, TryData(subscription): TryData<Subscription>, ack: AckSender| {
            reader.is_not_idle.notify_one();
            let subscription = subscription.map_err(Refusal::Payload);
            reader.subscribe(socket, subscription, ack).await;
        },
    );
    socket.on_disconnect(async move |socket: SocketRef, io: SocketIo| {
        let opened_by = socket.req_parts().extensions.get().copied();
        // Without the client itself, which would keep its place.
        tokio::spawn(cut_off(io, transports, socket.id, opened_by, limit));
        leaving.is_not_idle.notify_one();
        leaving.leave().await;
    });
}

/// Disconnects a client that does not subscribe.
async fn disconnect_idle(socket: SocketRef, reader: Arc<Reader>, limit: Duration) {
    let is_idle = tokio::time::timeout(limit, reader.is_not_idle.notified()).await.is_err();
    if is_idle && socket.connected() {
        tracing::debug!(client = %socket.id, "a reader of logs reads none");
        disconnect(socket);
    }
}

/// Ends the session of a client that has been in the namespace and stays on for no purpose.
async fn cut_off(
    io: SocketIo,
    transports: Transports,
    id: Sid,
    opened_by: Option<TransportId>,
    limit: Duration,
) {
    tokio::time::sleep(limit).await;
    let is_back = io.of(ROOT).is_some_and(|clients| clients.get_socket(id).is_some());
    if !is_back {
        transports.end(id.as_str(), opened_by).await;
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
    if refusal.is_of_the_client() {
        tracing::debug!(client = %socket.id, error = chain(refusal), "a subscription for logs is refused");
    } else {
        tracing::warn!(client = %socket.id, error = chain(refusal), "a subscription for logs is refused");
    }
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
