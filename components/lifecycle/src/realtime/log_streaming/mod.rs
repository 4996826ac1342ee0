//! Live logs over Socket.IO, by long polling and by WebSocket.
//!
//! 1. A client sends the event `subscribe_for_logs` with
//!    `{"resource_properties": {"job_name", "job_version", "tail"}}`. The version may be an alias.
//! 2. The streamer of the job's infrastructure target is asked for a session, and the event is acknowledged with the
//!    session's id.
//! 3. Each line comes as the event `logs_nextline` with `{"line": "text\n"}`. The next one comes when the client has
//!    acknowledged it, so that the streamer reads no faster than the client.
//! 4. The session ends when the client goes away, subscribes anew or lets a line wait for too long, when the job is
//!    deleted or moved, when whoever follows may not read it any more, when the streamer lets go of the session, as one
//!    does whose plugin gets another configuration, and when lifecycle stops. In all but the first two
//!    cases the client is disconnected.
//!
//! A subscription that is refused is acknowledged with null, the reason comes as a line, and the client is
//! disconnected: clients in use neither look at the acknowledgement nor end by themselves.
//!
//! A client that subscribes to nothing is disconnected after a while as well, and one that stays on after it has been
//! disconnected, or has left, is cut off after the same time.
//!
//! Clients in use send no token on this channel. Others show it in a header of the request that opens it, or as
//! `{"token": "…"}` with the packet that connects. [`Admit`] decides from both.

mod delivery;
mod follower;
mod open_sessions;
mod reader;
mod session;
mod source;
mod streamer;
mod subscription;
mod transports;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use racetrack_core::error::chain;
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use tokio::sync::watch;

use self::open_sessions::OpenSessions;
use self::reader::ROOT;
use self::source::CONNECT_TIME_LIMIT;
pub use self::source::{Admit, Client, CurrentTargets, Limits, LogSource};
use self::transports::{CLOSE_PACKET, Transports};

/// About the largest answer of a long poll, in bytes, and what clients are told that they may send. What they do send is
/// little, so less is taken: see `live_connections`.
const MAX_PAYLOAD: usize = 1_000_000;

/// The largest message of a client by WebSocket, in bytes.
const MAX_MESSAGE: usize = 64 << 10;

/// The Socket.IO server. Clones are the same one.
#[derive(Clone)]
pub struct LogStreaming {
    routes: Router,
    io: SocketIo,
    sessions: Arc<OpenSessions>,
    is_closed: Arc<watch::Sender<bool>>,
}

impl LogStreaming {
    /// The paths of its routes.
    pub const PATHS: [&str; 2] = ["/socket.io", "/socket.io/"];

    /// A server without clients.
    pub fn new(source: LogSource) -> Self {
        let (service, io) = SocketIo::builder()
            .req_path("/socket.io")
            .ack_timeout(source.limits.acknowledgement)
            .max_payload(MAX_PAYLOAD as u64)
            .ws_max_message_size(MAX_MESSAGE)
            .ws_max_frame_size(MAX_MESSAGE)
            .connect_timeout(CONNECT_TIME_LIMIT)
            .build_svc();
        let sessions = Arc::new(OpenSessions::default());
        let source = Arc::new(source);
        let of_clients = Arc::clone(&sessions);
        // Before the client hears that it is connected, so that no event of it can come too early.
        let transports = Transports::new(service.clone());
        let of_sessions = transports.clone();
        let attach = move |socket: SocketRef, TryData(auth): TryData<Value>| async move {
            // Clients in use send nothing there.
            reader::attach(&socket, &source, &of_clients, &of_sessions, auth.unwrap_or_default());
            Ok::<(), std::convert::Infallible>(())
        };
        io.ns(ROOT, (async || ()).with(attach));
        let is_closed = watch::Sender::new(false);
        let routes = Router::new()
            .route_service(Self::PATHS[0], service.clone())
            .route_service(Self::PATHS[1], service.clone())
            .route_layer(middleware::from_fn(move |request: Request, next: Next| {
                let (transports, service) = (transports.clone(), service.clone());
                async move { transports.pass(service, request, next).await }
            }))
            .route_layer(middleware::from_fn_with_state(is_closed.subscribe(), until_closed));
        Self { routes, io, sessions, is_closed: Arc::new(is_closed) }
    }

    /// The routes, for a router with any state: `/socket.io/`, with and without the slash. It may be nested.
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        self.routes.clone().with_state(())
    }

    /// Disconnects every client, and waits until the streamers have closed all sessions. There will be no new ones.
    ///
    /// To be called when the server begins to stop, which then need not wait for long polls: without it they last for
    /// up to 25 s. A WebSocket does not keep the server from stopping, but without this its client takes the end for
    /// an accident, connects again, and waits for lines that never come.
    pub async fn close(&self) {
        self.sessions.refuse_more();
        if let Some(clients) = self.io.of(ROOT)
            && let Err(error) = clients.disconnect().await
        {
            tracing::debug!(
                error = chain(&error),
                "not every reader of logs could be told that lifecycle stops"
            );
        }
        self.is_closed.send_replace(true);
        self.sessions.all_ended().await;
    }
}

impl fmt::Debug for LogStreaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogStreaming").field("sessions", &self.sessions).finish_non_exhaustive()
    }
}

/// Answers long polls that are still waiting when the server closes, after those that have something to tell.
async fn until_closed(
    State(mut is_closed): State<watch::Receiver<bool>>,
    request: Request,
    next: Next,
) -> Response {
    tokio::select! {
        biased;
        response = next.run(request) => response,
        Ok(_) = is_closed.wait_for(|is_closed| *is_closed) => {
            ([(CONTENT_TYPE, "text/plain; charset=UTF-8")], CLOSE_PACKET).into_response()
        }
    }
}
