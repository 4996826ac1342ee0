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

mod follower;
mod open_sessions;
mod reader;
mod session;
mod streamer;
mod subscription;
mod transports;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use racetrack_core::InfrastructureTarget;
use racetrack_core::catalogue::Catalogue;
use racetrack_core::error::chain;
use racetrack_service::hooks::PluginOwned;
use racetrack_service::{ApiError, HookRuntime};
use racetrack_store::Store;
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use tokio::sync::watch;

use self::open_sessions::OpenSessions;
use self::transports::Transports;
use crate::auth::Admission;

/// About the largest answer of a long poll, in bytes, and what clients are told that they may send. What they do send is
/// little, so less is taken: see `live_connections`.
const MAX_PAYLOAD: usize = 1_000_000;

/// The largest message of a client by WebSocket, in bytes.
const MAX_MESSAGE: usize = 64 << 10;

/// How soon a client has to enter the namespace. One that does not is gone, or never meant to.
const CONNECT_TIME_LIMIT: Duration = Duration::from_secs(10);

/// The namespace of clients that name none.
const ROOT: &str = "/";

/// What ends a polling transport, in the words of Engine.IO.
const CLOSE_PACKET: &str = "1";

/// A client, by what it has shown so far.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// The head of the request that opened the connection.
    pub request: &'a Parts,
    /// What came with the packet that connected; null when nothing did.
    pub auth: &'a Value,
}

/// Finds a job by its name and its version or an alias of it, for a client that may follow its log.
pub type Admit =
    Arc<dyn Fn(Client<'_>, &str, &str) -> BoxFuture<'static, Result<Admission, ApiError>> + Send + Sync>;

/// Gives the infrastructure targets that there are now.
pub type CurrentTargets = Arc<dyn Fn() -> Arc<PluginOwned<Catalogue<InfrastructureTarget>>> + Send + Sync>;

/// Where logs come from, and who may read them.
#[derive(Clone)]
pub struct LogSource {
    /// Knows the jobs.
    pub store: Store,
    /// Have the streamers.
    pub targets: CurrentTargets,
    /// Calls the streamers.
    pub hooks: HookRuntime,
    /// Who may read what.
    pub admit: Admit,
    /// How long things may take.
    pub limits: Limits,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The acknowledgement of a line by the client.
    pub acknowledgement: Duration,
    /// One call of a streamer. While a session is being created, waiting for the client counts as well.
    pub streamer_call: Duration,
    /// The first subscription of a client, and the end of one that is disconnected.
    pub idleness: Duration,
}

/// The Socket.IO server. Clones are the same one.
#[derive(Clone)]
pub struct LogStreaming {
    routes: Router,
    io: SocketIo,
    sessions: Arc<OpenSessions>,
    is_closed: Arc<watch::Sender<bool>>,
}

impl LogSource {
    /// Logs for those whom `admit` lets in.
    pub fn new(store: Store, targets: CurrentTargets, hooks: HookRuntime, admit: Admit) -> Self {
        Self { store, targets, hooks, admit, limits: Limits::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            acknowledgement: Duration::from_secs(20),
            streamer_call: Duration::from_secs(10),
            idleness: CONNECT_TIME_LIMIT,
        }
    }
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

impl fmt::Debug for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSource")
            .field("store", &self.store)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
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
