//! What sessions of Socket.IO go over, so that one can be ended whose client stays on without being in the namespace.
//!
//! The library only takes a client out of the namespace. One that means no good answers pings for ever after that, and
//! keeps its place. A session that polls is ended as its client would do it. A WebSocket comes to its end here.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use racetrack_core::error::chain;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;
use tower::{Service, ServiceExt};

/// What ends a polling transport, in the words of Engine.IO.
pub(super) const CLOSE_PACKET: &str = "1";

/// The parameter of requests that names their session.
const SESSION: &str = "sid=";

/// Every WebSocket that is open, and a way to end sessions that poll. Clones share them.
#[derive(Clone)]
pub(super) struct Transports {
    open: Arc<Mutex<Open>>,
    end_polling: Arc<dyn Fn(Request) -> BoxFuture<'static, ()> + Send + Sync>,
}

/// Names the WebSocket by which a session was opened, in the head of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TransportId(u64);

#[derive(Default)]
struct Open {
    next: u64,
    websockets: HashMap<TransportId, OpenWebSocket>,
}

struct OpenWebSocket {
    /// The session that polled before; one that begins with a WebSocket has its id later.
    session: Option<String>,
    /// Dropped to end it.
    _end: oneshot::Sender<()>,
}

/// A WebSocket, which comes to its end when that is wanted.
pub(super) struct WebSocketStream {
    inner: TokioIo<Upgraded>,
    /// Nothing when it has ended.
    ended: Option<oneshot::Receiver<()>>,
    _entry: Entry,
}

/// Takes a WebSocket out of those that are open, when it is dropped.
struct Entry {
    all: Transports,
    id: TransportId,
}

impl Transports {
    /// None are open. The service is the one of Socket.IO.
    pub(super) fn new<S>(service: S) -> Self
    where
        S: Service<Request, Error: Error + 'static, Future: Send> + Clone + Send + Sync + 'static,
    {
        let end_polling = move |request| {
            let answer = service.clone().oneshot(request);
            let ended = answer.map(|answer| {
                if let Err(error) = answer {
                    tracing::warn!(error = chain(&error), "a client that follows no log cannot be sent away");
                }
            });
            ended.boxed()
        };
        Self { open: Arc::default(), end_polling: Arc::new(end_polling) }
    }

    /// Passes a request on; a WebSocket it becomes can be ended from then on.
    pub(super) async fn pass<S>(&self, service: S, mut request: Request, next: Next) -> Response
    where
        S: Service<(WebSocketStream, axum::http::Request<()>), Error: Error + 'static, Future: Send>,
        S: Send + 'static,
    {
        let Some(upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
            return next.run(request).await;
        };
        let session = session_of(&request);
        let (entry, ended) = self.enter(session);
        request.extensions_mut().insert(entry.id);
        let (parts, body) = request.into_parts();
        // Without the means to upgrade the library does no more than to answer.
        let response = next.run(Request::from_parts(parts.clone(), body)).await;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            tokio::spawn(async move {
                let inner = match upgrade.await {
                    Ok(upgraded) => TokioIo::new(upgraded),
                    Err(error) => return tracing::debug!(error = chain(&error), "a WebSocket of logs broke"),
                };
                let stream = WebSocketStream { inner, ended: Some(ended), _entry: entry };
                let served = service.oneshot((stream, axum::http::Request::from_parts(parts, ()))).await;
                if let Err(error) = served {
                    tracing::debug!(error = chain(&error), "a WebSocket of logs is refused");
                }
            });
        }
        response
    }

    /// Ends a session that may be open still, by its id and the extensions of the request that opened it.
    pub(super) async fn end(&self, session: &str, opened_by: Option<TransportId>) {
        let is_of_session = |id: TransportId, websocket: &OpenWebSocket| {
            Some(id) == opened_by || websocket.session.as_deref() == Some(session)
        };
        self.open().websockets.retain(|id, websocket| !is_of_session(*id, websocket));
        let request = Request::post(format!("/socket.io?EIO=4&transport=polling&{SESSION}{session}"));
        let request = request.header(CONTENT_TYPE, "text/plain;charset=UTF-8").body(Body::from(CLOSE_PACKET));
        match request {
            Ok(request) => (self.end_polling)(request).await,
            Err(error) => tracing::error!(session, error = chain(&error), "a session has no address"),
        }
    }

    fn enter(&self, session: Option<String>) -> (Entry, oneshot::Receiver<()>) {
        let (end, ended) = oneshot::channel();
        let mut open = self.open();
        let id = TransportId(open.next);
        open.next += 1;
        open.websockets.insert(id, OpenWebSocket { session, _end: end });
        drop(open);
        (Entry { all: self.clone(), id }, ended)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session that a request names.
fn session_of(request: &Request) -> Option<String> {
    let mut parameters = request.uri().query()?.split('&');
    parameters.find_map(|parameter| parameter.strip_prefix(SESSION)).map(str::to_owned)
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.all.open().websockets.remove(&self.id);
    }
}

impl AsyncRead for WebSocketStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended.as_mut().is_some_and(|ended| ended.poll_unpin(cx).is_ready()) {
            self.ended = None;
        }
        if self.ended.is_none() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for WebSocketStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
