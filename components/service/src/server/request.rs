//! One request of a connection, from its head to the end of its answer.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use tower::ServiceExt;

use super::connections::Connection;

/// Why the body of a request fails: its client has stopped sending it.
#[derive(Clone, Copy, Debug)]
pub struct StalledBody;

impl StalledBody {
    /// Whether that is behind an error.
    pub fn is_cause_of(error: &(dyn Error + 'static)) -> bool {
        error.is::<Self>() || error.source().is_some_and(Self::is_cause_of)
    }
}

/// The body of a request, which fails when the client stops sending it.
struct RequestBody {
    inner: Incoming,
    connection: Arc<Connection>,
    is_awaited: bool,
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
    connection.is_busy();
    let body =
        |inner| Body::new(RequestBody { inner, connection: Arc::clone(&connection), is_awaited: false });
    let mut request = request.map(body);
    let peer = connection.peer(address.ip(), request.headers());
    request.extensions_mut().insert(ConnectInfo(address));
    request.extensions_mut().insert(peer);
    let response = router.oneshot(request).await?;
    Ok(response.map(|inner| Body::new(AnswerBody { inner, connection })))
}

impl RequestBody {
    fn set_awaited(&mut self, is_awaited: bool) {
        if self.is_awaited != is_awaited {
            self.is_awaited = is_awaited;
            self.connection.awaits_body(is_awaited);
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
        if frame.is_pending() && self.connection.ending.gives_up_body(cx) {
            self.set_awaited(false);
            return Poll::Ready(Some(Err(StalledBody.into())));
        }
        self.set_awaited(frame.is_pending());
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
        self.set_awaited(false);
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
        f.write_str("the client stopped sending the body of the request")
    }
}

impl Error for StalledBody {}
