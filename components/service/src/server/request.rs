//! One request of a connection, from its head to the end of its answer.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::ServiceExt;

use super::connections::Connection;
use super::waiting::Lag;

/// Why the body of a request fails: its client has stopped sending it, or sends next to nothing.
#[derive(Clone, Copy, Debug)]
pub struct StalledBody;

impl StalledBody {
    /// Whether that is behind an error.
    pub fn is_cause_of(error: &(dyn Error + 'static)) -> bool {
        error.is::<Self>() || error.source().is_some_and(Self::is_cause_of)
    }
}

/// The body of a request, which fails when the client stops sending it, or sends next to nothing.
struct RequestBody {
    inner: Incoming,
    connection: Arc<Connection>,
    lag: Lag,
    awaited_since: Option<Instant>,
}

/// The body of an answer, at whose end the connection waits for another request.
struct AnswerBody {
    inner: Body,
    connection: Arc<Connection>,
}

/// Has the router answer a request.
pub(super) async fn answer(
    router: Router,
    request: Request<Incoming>,
    address: SocketAddr,
    connection: Arc<Connection>,
) -> Result<Response<Body>, Infallible> {
    connection.begins_request();
    let mut request = request.map(|inner| Body::new(RequestBody::new(inner, Arc::clone(&connection))));
    let peer = connection.peer(address.ip(), request.headers());
    request.extensions_mut().insert(ConnectInfo(address));
    request.extensions_mut().insert(peer);
    let response = router.oneshot(request).await?;
    Ok(response.map(|inner| Body::new(AnswerBody { inner, connection })))
}

impl RequestBody {
    fn new(inner: Incoming, connection: Arc<Connection>) -> Self {
        let lag = connection.lag();
        Self { inner, connection, lag, awaited_since: None }
    }

    fn begin_to_wait(&mut self) {
        if self.awaited_since.is_none() {
            let now = Instant::now();
            self.awaited_since = Some(now);
            self.connection.awaits_body(Some(self.lag.since(now)));
        }
    }

    /// So many bytes have come, or the wait is over without any.
    fn end_wait(&mut self, received: usize) {
        let since = self.awaited_since.take();
        self.lag.note(since.map_or(Duration::ZERO, |since| since.elapsed()), received);
        if since.is_some() {
            self.connection.awaits_body(None);
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(cx);
        match &frame {
            Poll::Pending if self.connection.ending.gives_up_body(cx) => {
                self.end_wait(0);
                return Poll::Ready(Some(Err(StalledBody.into())));
            }
            Poll::Pending => self.begin_to_wait(),
            Poll::Ready(Some(Ok(frame))) => self.end_wait(frame.data_ref().map_or(0, Bytes::len)),
            Poll::Ready(_) => self.end_wait(0),
        }
        frame.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        self.end_wait(0);
    }
}

impl HttpBody for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.connection.has_answered();
    }
}

impl fmt::Display for StalledBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client stopped sending the body of the request, or sends it too slowly")
    }
}

impl Error for StalledBody {}
