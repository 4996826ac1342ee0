//! Clients that let the server wait, and clients that come in numbers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Request;
use axum::routing::{get, post};
use futures_util::stream;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::*;
use crate::json_body::JsonText;

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_secs(1);
const PARTIAL_HEAD: &str = "GET /live HTTP/1.1\r\nhost: x\r\nx-a: ";

/// A server, and what its endpoint `/stream` does: it sends what comes here.
struct Server {
    address: SocketAddr,
    pieces: mpsc::Sender<Bytes>,
    streams: watch::Receiver<usize>,
    signals: mpsc::Sender<Signal>,
    serving: JoinHandle<Result<(), ServerError>>,
}

/// Limits that are not reached by waiting.
fn lenient() -> ConnectionLimits {
    ConnectionLimits {
        request_head_time: LONG,
        idle_connection_time: LONG,
        stalled_transfer_time: LONG,
        ..default()
    }
}

fn default() -> ConnectionLimits {
    ConnectionLimits::default()
}

impl Server {
    async fn start(limits: ConnectionLimits) -> Self {
        let (pieces, receiver) = mpsc::channel::<Bytes>(1);
        let receiver = std::sync::Arc::new(tokio::sync::Mutex::new(receiver));
        let (count, streams) = watch::channel(0);
        let stream = move || {
            let (receiver, count) = (receiver.clone().try_lock_owned().expect("one stream"), count.clone());
            count.send_modify(|count| *count += 1);
            let gone = scopeguard(move || count.send_modify(|count| *count -= 1));
            let pieces = stream::unfold((receiver, gone), |(mut receiver, gone)| async move {
                let piece = receiver.recv().await?;
                Some((Ok::<_, Infallible>(piece), (receiver, gone)))
            });
            async { Body::from_stream(pieces) }
        };
        let length = async |request: Request<Body>| {
            let body = JsonText::read(request).await?;
            body.bytes().map(|bytes| bytes.len().to_string())
        };
        let router = Router::new()
            .route("/live", get(async || "alive"))
            .route("/length", post(length))
            .route("/stream", get(stream));
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let (signals, receiver) = mpsc::channel(1);
        let serving = Serving { limits, proxies: TrustedProxies::default(), grace: LONG };
        let readiness = Readiness::default();
        let serving =
            tokio::spawn(async move { serve(listener, router, &readiness, receiver, serving).await });
        Self { address, pieces, streams, signals, serving }
    }

    /// A connection on which this was sent.
    async fn send(&self, text: &str) -> TcpStream {
        let mut connection = TcpStream::connect(self.address).await.expect("connects");
        connection.write_all(text.as_bytes()).await.expect("is sent");
        connection
    }

    /// The answer of a well-behaved client.
    async fn live(&self) -> String {
        let mut connection = self.send("GET /live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        rest(&mut connection).await
    }
}

/// Runs when it is dropped.
fn scopeguard(run: impl FnOnce()) -> impl Sized {
    struct Guard<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Guard<F> {
        fn drop(&mut self) {
            self.0.take().expect("runs once")();
        }
    }
    Guard(Some(run))
}

/// What comes until the server closes the connection.
async fn rest(connection: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    // The server may close before it has read everything, which the client sees as a reset.
    let read = tokio::time::timeout(LONG, connection.read_to_end(&mut bytes)).await;
    let _ = read.expect("the connection is closed");
    String::from_utf8(bytes).expect("is text")
}

/// Reads until this was read.
async fn until(connection: &mut TcpStream, text: &str) {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(text) {
        let mut byte = [0];
        let read = tokio::time::timeout(LONG, connection.read(&mut byte)).await.expect("comes in time");
        assert_eq!(read.expect("is read"), 1, "{text} was expected");
        bytes.extend(byte);
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let server = Server::start(ConnectionLimits { request_head_time: SHORT, ..lenient() }).await;
    for text in ["", "G", PARTIAL_HEAD] {
        assert_eq!(rest(&mut server.send(text).await).await, "", "{text}");
    }
    // Neither is one that goes on and on, nor that of a second request.
    let mut dripping = server.send(PARTIAL_HEAD).await;
    while dripping.write_all(b"x").await.is_ok() {
        tokio::time::sleep(SHORT / 10).await;
    }
    let mut second = server.send(&format!("GET /live HTTP/1.1\r\nhost: x\r\n\r\n{PARTIAL_HEAD}")).await;
    until(&mut second, "alive").await;
    let mut later = server.send("GET /live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    until(&mut later, "alive").await;
    later.write_all(PARTIAL_HEAD.as_bytes()).await.expect("is sent");
    assert_eq!(rest(&mut later).await, "");
}

#[tokio::test]
async fn a_connection_is_kept_for_some_time() {
    let server = Server::start(lenient()).await;
    let mut connection = server.send("GET /live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    until(&mut connection, "alive").await;
    connection.write_all(b"GET /live HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("is still open");
    until(&mut connection, "alive").await;
    let server = Server::start(ConnectionLimits { idle_connection_time: SHORT, ..lenient() }).await;
    let mut connection = server.send("GET /live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    until(&mut connection, "alive").await;
    assert_eq!(rest(&mut connection).await, "");
}

#[tokio::test]
async fn a_body_that_stalls_is_refused() {
    let server = Server::start(ConnectionLimits { stalled_transfer_time: SHORT, ..lenient() }).await;
    for head in ["content-length: 10\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        let mut connection = server.send(&format!("POST /length HTTP/1.1\r\nhost: x\r\n{head}")).await;
        let answer = rest(&mut connection).await;
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
        assert!(answer.contains("the client stopped sending the body of the request"), "{answer}");
    }
}

#[tokio::test]
async fn a_body_may_take_long_while_it_goes_on() {
    /// Twice as much as is due in the time of a pause, so that one pause may be far longer than meant.
    const PIECE: [u8; 4 << 10] = [b'x'; 4 << 10];
    let limit = Duration::from_secs(4);
    let server = Server::start(ConnectionLimits { stalled_transfer_time: limit, ..lenient() }).await;
    let length = 12 * PIECE.len();
    let head =
        format!("POST /length HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    let mut connection = server.send(&head).await;
    for _ in 0..12 {
        tokio::time::sleep(limit / 8).await;
        connection.write_all(&PIECE).await.expect("is sent");
    }
    let answer = rest(&mut connection).await;
    let ending = format!("\r\n\r\n{length}");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(&ending), "{answer}");
}

#[tokio::test]
async fn a_body_that_drips_is_refused() {
    let server = Server::start(ConnectionLimits { stalled_transfer_time: SHORT, ..lenient() }).await;
    let begun = "POST /length HTTP/1.1\r\nhost: x\r\n";
    for (head, drop) in
        [("content-length: 100000\r\n\r\n", "x"), ("transfer-encoding: chunked\r\n\r\n", "1\r\nx\r\n")]
    {
        let (mut reader, mut writer) = server.send(&format!("{begun}{head}")).await.into_split();
        let dripping = tokio::spawn(async move {
            while writer.write_all(drop.as_bytes()).await.is_ok() {
                tokio::time::sleep(SHORT / 10).await;
            }
        });
        let answer = rest(&mut reader).await;
        dripping.abort();
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_reader_that_does_not_read_is_left() {
    let server = Server::start(ConnectionLimits { stalled_transfer_time: SHORT, ..lenient() }).await;
    let _connection = server.send("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut streams = server.streams.clone();
    streams.wait_for(|streams| *streams == 1).await.expect("the server is there");
    // More than all buffers hold.
    let pieces = async { while server.pieces.send(Bytes::from(vec![0; 1 << 20])).await.is_ok() {} };
    let ended = async {
        let ended = tokio::time::timeout(LONG, streams.wait_for(|streams| *streams == 0)).await;
        drop(ended.expect("the stream is dropped").expect("the server is there"));
    };
    tokio::select! {
        () = pieces => panic!("pieces are taken for ever"),
        () = ended => {}
    }
}

#[tokio::test]
async fn a_quiet_answer_goes_on() {
    let limits = ConnectionLimits {
        request_head_time: SHORT,
        idle_connection_time: SHORT,
        stalled_transfer_time: SHORT,
        ..default()
    };
    let server = Server::start(limits).await;
    let mut connection = server.send("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    until(&mut connection, "\r\n\r\n").await;
    for _ in 0..3 {
        assert_eq!(rest(&mut server.send(PARTIAL_HEAD).await).await, "", "a limit has passed");
    }
    server.pieces.send(Bytes::from_static(b"news")).await.expect("is awaited");
    until(&mut connection, "news").await;
}

#[tokio::test]
async fn a_newcomer_takes_the_place_of_who_waits_longest() {
    let server = Server::start(ConnectionLimits { connections: 20, ..lenient() }).await;
    let mut kept = server.send("GET /live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    until(&mut kept, "alive").await;
    let mut streaming = server.send("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    until(&mut streaming, "\r\n\r\n").await;
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(server.send(PARTIAL_HEAD).await);
    }
    for _ in 0..30 {
        assert!(server.live().await.ends_with("alive"));
    }
    assert_eq!(rest(&mut idle[0]).await, "", "the first one is closed");
    // One that has been of use goes last, and one that is being answered never.
    kept.write_all(b"GET /live HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("is still open");
    until(&mut kept, "alive").await;
    server.pieces.send(Bytes::from_static(b"news")).await.expect("is awaited");
    until(&mut streaming, "news").await;
}

#[tokio::test]
async fn a_newcomer_is_refused_when_everybody_is_being_answered() {
    let server = Server::start(ConnectionLimits { connections: 1, ..lenient() }).await;
    let mut streaming = server.send("GET /stream HTTP/1.1\r\nhost: x\r\n\r\n").await;
    until(&mut streaming, "\r\n\r\n").await;
    let mut refused = TcpStream::connect(server.address).await.expect("connects");
    let answer = rest(&mut refused).await;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert!(answer.contains("\r\nretry-after: 1\r\n"), "{answer}");
    drop(streaming);
    // The server sees the end of the connection when it has something to send.
    while !server.live().await.ends_with("alive") {
        let _ = server.pieces.try_send(Bytes::from_static(b"news"));
    }
}

#[tokio::test]
async fn those_who_wait_do_not_hold_up_the_end() {
    let server = Server::start(lenient()).await;
    let mut kept = server.send("GET /live HTTP/1.1\r\nhost: x\r\n\r\n").await;
    until(&mut kept, "alive").await;
    let _waiting = [server.send("").await, server.send(PARTIAL_HEAD).await];
    assert!(server.live().await.ends_with("alive"), "so both were taken before");
    server.signals.send("SIGTERM").await.expect("is heard");
    let ended = tokio::time::timeout(LONG / 2, server.serving).await.expect("does not wait for a minute");
    ended.expect("does not panic").expect("ends well");
}

#[tokio::test]
async fn a_head_has_a_size() {
    let server = Server::start(lenient()).await;
    let padding = "x".repeat(30 << 10);
    let mut connection = server.send(&format!("{PARTIAL_HEAD}{padding}\r\nconnection: close\r\n\r\n")).await;
    assert!(rest(&mut connection).await.ends_with("alive"));
    let mut connection = TcpStream::connect(server.address).await.expect("connects");
    let padding = "x".repeat(100 << 10);
    // The server does not read it all.
    let _ = connection.write_all(format!("{PARTIAL_HEAD}{padding}").as_bytes()).await;
    assert!(!rest(&mut connection).await.contains("200 OK"));
}
