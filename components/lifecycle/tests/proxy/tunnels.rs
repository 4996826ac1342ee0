//! WebSocket and other protocols that begin as HTTP.

use std::sync::Arc;

use axum::Router;
use axum::extract::{WebSocketUpgrade, ws};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::any;
use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::fixture::{PREFIX, accept, job, listener, proxy, proxy_until, raw, read_to_end, read_until};

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.protocols(["echo"]).on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            // A farewell is answered by the socket itself.
            if !matches!(message, ws::Message::Close(_)) {
                socket.send(message).await.expect("is sent");
            }
        }
    })
}

#[tokio::test]
async fn a_web_socket_echoes_through_the_proxy() {
    let proxy = proxy(&[&job(Router::new().route("/ws", any(echo))).await]).await;
    let (mut socket, answer) =
        tokio_tungstenite::connect_async(format!("ws://{proxy}{PREFIX}/ws")).await.expect("is granted");
    assert!(answer.headers().contains_key("x-request-tracing-id"));
    for message in [Message::text("hello"), Message::binary(vec![7; 1 << 20])] {
        socket.send(message.clone()).await.expect("is sent");
        assert_eq!(socket.next().await.expect("answers").expect("is a message"), message);
    }
    socket.close(None).await.expect("says goodbye");
    while let Some(message) = socket.next().await {
        assert!(message.expect("ends well").is_close());
    }
}

#[tokio::test]
async fn an_upgrade_that_the_job_refuses_is_answered_as_it_is() {
    let refuse = || async { (StatusCode::FORBIDDEN, "not you") };
    let proxy = proxy(&[&job(Router::new().route("/ws", any(refuse))).await]).await;
    let refused = tokio_tungstenite::connect_async(format!("ws://{proxy}{PREFIX}/ws")).await;
    let Err(Error::Http(answer)) = refused else { panic!("not refused: {refused:?}") };
    assert_eq!(answer.status(), 403);
    assert_eq!(answer.body().as_deref(), Some(&b"not you"[..]));
}

/// The two ends of a tunnel, after the job has answered with `answer`.
async fn tunnel(answer: &str) -> (TcpStream, TcpStream) {
    tunnel_until(answer, &Arc::default()).await
}

/// The same, until `lost` is notified.
async fn tunnel_until(answer: &str, lost: &Arc<Notify>) -> (TcpStream, TcpStream) {
    let (listener, address) = listener().await;
    let proxy = proxy_until(&[&address], None, lost).await;
    let ask =
        format!("GET {PREFIX}/ HTTP/1.1\r\nhost: h\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n");
    let caller = raw(&proxy, &ask).await;
    let mut job = accept(&listener).await;
    let head = read_until(&mut job, "\r\n\r\n").await;
    assert!(
        head.contains("\r\nconnection: upgrade\r\n") && head.contains("\r\nupgrade: websocket\r\n"),
        "{head}"
    );
    job.write_all(answer.as_bytes()).await.expect("is sent");
    (caller, job)
}

const GRANTED: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

#[tokio::test]
async fn what_the_job_says_right_after_its_agreement_is_not_lost() {
    let (mut caller, mut job) = tunnel(&format!("{GRANTED}welcome")).await;
    let answer = read_until(&mut caller, "welcome").await;
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.contains("\r\nupgrade: websocket\r\n"), "{answer}");
    caller.write_all(b"thanks").await.expect("is sent");
    read_until(&mut job, "thanks").await;
}

#[tokio::test]
async fn a_job_that_closes_closes_the_caller() {
    let (mut caller, mut job) = tunnel(GRANTED).await;
    read_until(&mut caller, "\r\n\r\n").await;
    job.write_all(b"bye").await.expect("is sent");
    drop(job);
    assert_eq!(read_to_end(&mut caller).await, "bye");
}

#[tokio::test]
async fn a_caller_that_closes_closes_the_job() {
    let (mut caller, mut job) = tunnel(GRANTED).await;
    read_until(&mut caller, "\r\n\r\n").await;
    caller.write_all(b"bye").await.expect("is sent");
    drop(caller);
    assert_eq!(read_to_end(&mut job).await, "bye");
}

#[tokio::test]
async fn a_side_that_does_not_close_is_closed() {
    let (mut caller, mut job) = tunnel(GRANTED).await;
    read_until(&mut caller, "\r\n\r\n").await;
    job.shutdown().await.expect("says goodbye");
    assert_eq!(read_to_end(&mut caller).await, "");
    assert_eq!(read_to_end(&mut job).await, "");
}

#[tokio::test]
async fn a_tunnel_ends_with_the_right_of_its_caller() {
    let lost = Arc::new(Notify::new());
    let (mut caller, mut job) = tunnel_until(GRANTED, &lost).await;
    read_until(&mut caller, "\r\n\r\n").await;
    job.write_all(b"welcome").await.expect("is sent");
    read_until(&mut caller, "welcome").await;
    lost.notify_one();
    assert_eq!(read_to_end(&mut caller).await, "");
    assert_eq!(read_to_end(&mut job).await, "");
}

#[tokio::test]
async fn an_answer_without_end_ends_with_the_right_of_its_caller() {
    let (listener, address) = listener().await;
    let lost = Arc::new(Notify::new());
    let proxy = proxy_until(&[&address], None, &lost).await;
    let mut caller = raw(&proxy, &format!("GET {PREFIX}/events HTTP/1.1\r\nhost: h\r\n\r\n")).await;
    let mut job = accept(&listener).await;
    read_until(&mut job, "\r\n\r\n").await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    job.write_all(format!("{head}5\r\nhello\r\n").as_bytes()).await.expect("is sent");
    read_until(&mut caller, "hello\r\n").await;
    lost.notify_one();
    assert_eq!(read_to_end(&mut caller).await, "", "it breaks off, without the chunk that ends it");
    assert_eq!(read_to_end(&mut job).await, "");
}

#[tokio::test]
async fn a_switch_of_protocols_that_nobody_asked_for_is_not_passed_on() {
    let asked = "connection: Upgrade\r\nupgrade: websocket\r\n";
    for (ask, answer) in [
        ("", "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        ("", GRANTED),
        ("connection: Upgrade\r\nupgrade: h2c\r\n", GRANTED),
        (asked, "HTTP/1.1 101 Switching Protocols\r\n\r\n"),
        (asked, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"),
    ] {
        let (listener, address) = listener().await;
        let proxy = proxy(&[&address]).await;
        let mut caller = raw(&proxy, &format!("GET {PREFIX}/ HTTP/1.1\r\nhost: h\r\n{ask}\r\n")).await;
        let mut job = accept(&listener).await;
        read_until(&mut job, "\r\n\r\n").await;
        job.write_all(answer.as_bytes()).await.expect("is sent");
        let told = read_until(&mut caller, "}").await;
        assert!(told.starts_with("HTTP/1.1 502 "), "{ask:?} {answer:?}: {told}");
        assert!(told.contains("a protocol that nobody asked for"), "{told}");
    }
}

#[tokio::test]
async fn what_is_no_websocket_is_no_tunnel() {
    let (listener, address) = listener().await;
    let proxy = proxy(&[&address]).await;
    let ask = format!(
        "GET {PREFIX}/live HTTP/1.1\r\nhost: h\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n\
         http2-settings: AAMAAABk\r\n\r\n"
    );
    let _caller = raw(&proxy, &ask).await;
    let head = read_until(&mut accept(&listener).await, "\r\n\r\n").await;
    assert!(!head.contains("upgrade") && !head.contains("http2-settings"), "{head}");
}
