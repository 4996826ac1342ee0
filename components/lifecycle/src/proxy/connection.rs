//! A connection to a job, and one call over it.
//!
//! A connection has no task of its own. The task of the call drives it: no wake-up crosses tasks on the way, and a call
//! that is dropped takes its connection along.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::failure::ForwardError;
use super::stream::JobStream;

/// How long connecting may take, with looking up the name.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// A connection to a job.
#[derive(Debug)]
pub(super) struct Connection {
    address: Arc<str>,
    host: HeaderValue,
    sender: SendRequest<Body>,
    /// What moves the bytes.
    driver: Box<http1::Connection<TokioIo<JobStream>, Body>>,
    /// Whether there is anything left to drive.
    is_open: bool,
}

/// A request that got no answer.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) source: hyper::Error,
    /// The request, if nothing of it was sent.
    pub(super) request: Option<Box<Request>>,
}

impl Connection {
    /// Connects to `host:port`.
    pub(super) async fn open(address: &str) -> Result<Self, ForwardError> {
        let host = HeaderValue::from_str(address).map_err(|_| ForwardError::Address(address.to_owned()))?;
        let failed = |source| ForwardError::Connect { address: address.to_owned(), source };
        let stream = tokio::time::timeout(CONNECT_LIMIT, TcpStream::connect(address)).await;
        let stream = stream.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let handshake = http1::handshake(TokioIo::new(JobStream::new(stream))).await;
        let (sender, connection) =
            handshake.map_err(|source| ForwardError::Call { address: address.to_owned(), source })?;
        Ok(Self { address: address.into(), host, sender, driver: Box::new(connection), is_open: true })
    }

    /// What it is connected to.
    pub(super) fn address(&self) -> &Arc<str> {
        &self.address
    }

    /// The value of the header `Host`.
    pub(super) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// Sends a request and waits for the head of the answer. The connection has to be driven for the body to arrive.
    pub(super) async fn send(self, request: Request) -> Result<(Response<Incoming>, Self), Unanswered> {
        let Self { address, host, mut sender, driver, mut is_open } = self;
        let mut answer = pin!(sender.try_send_request(request));
        let mut driver = Some(driver);
        let answered = poll_fn(|cx| {
            is_open = is_open
                && driver.as_mut().is_some_and(|driver| driver.poll_without_shutdown(cx).is_pending());
            let answered = answer.as_mut().poll(cx);
            if is_open || answered.is_ready() {
                return answered;
            }
            // A driver at its end still holds the request that it did not send; dropping the driver sets it free.
            driver = None;
            answer.as_mut().poll(cx)
        });
        match answered.await {
            Ok(response) => {
                let driver = driver.expect("nothing but a driver answers");
                Ok((response, Self { address, host, sender, driver, is_open }))
            }
            Err(mut error) => {
                let request = error.take_message().map(Box::new);
                Err(Unanswered { source: error.into_error(), request })
            }
        }
    }

    /// Moves bytes; ready when the connection has ended. What went wrong is told by the body.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.is_open = self.is_open && self.driver.poll_without_shutdown(cx).is_pending();
        if self.is_open { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Whether the connection is open and all of the last call is over.
    pub(super) fn is_idle(&mut self, cx: &mut Context<'_>) -> bool {
        self.poll_end(cx).is_pending() && self.sender.is_ready()
    }

    /// What is below HTTP, after a switch of protocols: the socket, and the bytes that were read ahead.
    pub(super) async fn into_stream(mut self) -> (TcpStream, Bytes) {
        poll_fn(|cx| self.poll_end(cx)).await;
        let parts = self.driver.into_parts();
        (parts.io.into_inner().into_inner(), parts.read_buf)
    }
}
