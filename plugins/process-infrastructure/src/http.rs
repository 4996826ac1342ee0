//! Short requests to the servers of jobs.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// What a job answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("cannot connect to port {port}")]
    Connect {
        port: u16,
        #[source]
        source: std::io::Error,
    },
    #[error("the connection broke")]
    Exchange(#[source] hyper::Error),
    #[error("the answer cannot be read: {0}")]
    Body(String),
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

/// Asks the server on a port of this machine.
pub(crate) async fn get(port: u16, path: &str, limit: Duration) -> Result<Answer, RequestError> {
    tokio::time::timeout(limit, exchange(port, path)).await.map_err(|_| RequestError::TimedOut(limit))?
}

async fn exchange(port: u16, path: &str) -> Result<Answer, RequestError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect(address).await;
    let stream = stream.map_err(|source| RequestError::Connect { port, source })?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(RequestError::Exchange)?;
    let request = Request::get(path).header(HOST, address.to_string()).body(Empty::<Bytes>::new());
    let request = request.expect("the path is one of ours");
    let answer = async {
        let response = sender.send_request(request).await.map_err(RequestError::Exchange)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| RequestError::Body(error.to_string()))?.to_bytes();
        Ok(Answer { status, body })
    };
    tokio::pin!(answer);
    // The connection has to be driven for the answer to come; when it ends first, the answer says why.
    tokio::select! {
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
}
