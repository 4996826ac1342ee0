//! Short requests to the servers of jobs.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What a job answered.
#[derive(Debug)]
pub(crate) struct JobResponse {
    pub(crate) status: StatusCode,
    /// As much of the body as was asked for.
    pub(crate) body: Vec<u8>,
    /// Whether the body goes on after that.
    pub(crate) is_cut: bool,
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
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

/// Asks the server on a port of this machine, and reads at most `longest` bytes of the body of its answer.
pub(crate) async fn get(
    port: u16,
    path: &str,
    longest: usize,
    limit: Duration,
) -> Result<JobResponse, RequestError> {
    let answer = tokio::time::timeout(limit, exchange(port, path, longest)).await;
    answer.map_err(|_| RequestError::TimedOut(limit))?
}

async fn exchange(port: u16, path: &str, longest: usize) -> Result<JobResponse, RequestError> {
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
        let mut rest = response.into_body();
        let mut body = Vec::new();
        while body.len() <= longest
            && let Some(frame) = rest.frame().await
        {
            let frame = frame.map_err(RequestError::Exchange)?;
            body.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
        }
        let is_cut = body.len() > longest;
        body.truncate(longest);
        Ok(JobResponse { status, body, is_cut })
    };
    tokio::pin!(answer);
    // The connection has to be driven for the answer to come; when it ends first, the answer says why.
    tokio::select! {
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// A server that answers this to one caller, over and over for as long as it is read.
    async fn endless(head: &'static str, piece: &'static str) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("is bound").port();
        tokio::spawn(async move {
            let (mut caller, _) = listener.accept().await.expect("is called");
            // An answer before the question is a fault of its own.
            assert!(caller.read(&mut [0; 1024]).await.expect("is asked") > 0);
            caller.write_all(head.as_bytes()).await.expect("is read");
            let piece = piece.repeat(10_000);
            while !piece.is_empty() && caller.write_all(piece.as_bytes()).await.is_ok() {}
            // A server that says no more keeps the connection.
            std::future::pending::<()>().await;
            drop(caller);
        });
        port
    }

    #[tokio::test]
    async fn no_more_is_read_than_was_asked_for() {
        let port = endless("HTTP/1.1 200 OK\r\n\r\n", "x").await;
        let answer = get(port, "/live", 1000, LONG).await.expect("answers");
        assert_eq!((answer.body.len(), answer.is_cut), (1000, true));
    }

    #[tokio::test]
    async fn a_head_without_an_end_is_no_answer() {
        let port = endless("HTTP/1.1 200 OK\r\nx: ", "x").await;
        let error = get(port, "/live", 1000, LONG).await.expect_err("does not answer");
        assert!(matches!(error, RequestError::Exchange(_)), "{error}");
    }

    #[tokio::test]
    async fn an_answer_that_does_not_go_on_is_waited_for_no_longer_than_said() {
        for head in ["", "HTTP/1.1 200 OK\r\n\r\nx"] {
            let port = endless(head, "").await;
            let error = get(port, "/live", 1000, Duration::from_millis(50)).await.expect_err("says nothing");
            assert!(matches!(error, RequestError::TimedOut(_)), "{error}");
        }
    }
}
