//! What follows a switch of protocols, as to WebSocket: bytes in both directions.

use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Response as HttpResponse, Version};
use axum::response::Response;
use futures_util::future::{BoxFuture, Either, select};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::connection::Connection;
use super::headers;

/// How long the other side may go on after one side has closed: enough for what is under way and a farewell.
const FAREWELL: Duration = Duration::from_secs(5);

/// A caller's wish to switch to another protocol.
#[derive(Debug)]
pub(super) struct Upgrade {
    protocol: HeaderValue,
    caller: OnUpgrade,
}

/// Why a tunnel did not come about, or broke off.
#[derive(Debug, thiserror::Error)]
enum TunnelError {
    #[error("the caller did not switch protocols")]
    Upgrade(#[source] hyper::Error),
    #[error("a side broke off")]
    Copy(#[source] io::Error),
}

impl Upgrade {
    /// What the head of this request asks for, if the server can do it: a WebSocket and nothing else. In a tunnel of HTTP/2
    /// a caller could reach every endpoint of the job, whatever the one it was allowed.
    pub(super) fn asked_by(parts: &mut Parts) -> Option<Self> {
        let protocol = headers::upgrade(&parts.headers)?;
        if !protocol.as_bytes().eq_ignore_ascii_case(b"websocket") {
            return None;
        }
        let protocol = protocol.clone();
        Some(Self { protocol, caller: parts.extensions.remove()? })
    }

    /// Asks the job.
    pub(super) fn ask(&self, headers: &mut HeaderMap) {
        headers::set_upgrade(headers, self.protocol.clone());
    }

    /// Whether a job that answers with these headers agrees to what was asked.
    pub(super) fn is_agreed_by(&self, headers: &HeaderMap) -> bool {
        let agreed = headers::upgrade(headers);
        agreed.is_some_and(|agreed| agreed.as_bytes().eq_ignore_ascii_case(self.protocol.as_bytes()))
    }

    /// Passes on the job's agreement and connects the two sides, until the caller has `lost` the right to it.
    pub(super) fn grant(
        self,
        response: HttpResponse<Incoming>,
        connection: Connection,
        lost: BoxFuture<'static, ()>,
    ) -> Response {
        tokio::spawn(async move {
            // What is connected is closed when it is dropped.
            match select(pin!(connect(self.caller, connection)), lost).await {
                Either::Left((Ok(()), _)) => {}
                Either::Left((Err(error), _)) => {
                    tracing::debug!("a tunnel to a job ended: {}", racetrack_core::error::chain(&error));
                }
                Either::Right(((), _)) => tracing::debug!("a tunnel to a job ended with its caller's right"),
            }
        });
        let protocol = headers::upgrade(response.headers()).cloned().unwrap_or(self.protocol);
        let (mut parts, _) = response.into_parts();
        headers::prepare_response(&mut parts.headers, ["", ""]);
        headers::set_upgrade(&mut parts.headers, protocol);
        parts.version = Version::HTTP_11;
        Response::from_parts(parts, Body::empty())
    }
}

/// Copies until either side closes. A side that breaks off has closed.
async fn connect(caller: OnUpgrade, job: Connection) -> Result<(), TunnelError> {
    let caller = caller.await.map_err(TunnelError::Upgrade)?;
    let (job, read_ahead) = job.into_stream().await;
    let (from_caller, mut to_caller) = tokio::io::split(TokioIo::new(caller));
    let (from_job, to_job) = job.into_split();
    let requests = pin!(pipe(from_caller, to_job));
    let answers = pin!(async {
        to_caller.write_all(&read_ahead).await?;
        pipe(from_job, to_caller).await
    });
    match select(requests, answers).await {
        Either::Left((first, other)) => farewell(first, other).await,
        Either::Right((first, other)) => farewell(first, other).await,
    }
}

async fn farewell(
    first: io::Result<()>,
    other: impl Future<Output = io::Result<()>>,
) -> Result<(), TunnelError> {
    let other = tokio::time::timeout(FAREWELL, other).await.unwrap_or(Ok(()));
    first.and(other).map_err(TunnelError::Copy)
}

/// Copies to the end and passes on the end.
async fn pipe(mut source: impl AsyncRead + Unpin, mut sink: impl AsyncWrite + Unpin) -> io::Result<()> {
    let copied = tokio::io::copy(&mut source, &mut sink).await;
    let closed = sink.shutdown().await;
    copied.and(closed)
}
