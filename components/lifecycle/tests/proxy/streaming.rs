//! Bodies pass through without being gathered.

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::{get as on_get, post};
use futures_util::stream::{self, unfold};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::fixture::{LONG, PREFIX, job, proxy, raw, read, request, send};

/// A body that sends what comes through a channel, and the channel.
fn channel() -> (mpsc::Sender<&'static str>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    let next = |mut receiver: mpsc::Receiver<&'static str>| async move {
        let chunk = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(chunk), receiver))
    };
    (sender, Body::from_stream(unfold(receiver, next)))
}

async fn next(body: &mut Body) -> Option<Bytes> {
    let frame = tokio::time::timeout(LONG, body.frame()).await.expect("arrives");
    Some(frame?.expect("is no error").into_data().expect("is data"))
}

/// The number of bytes of a body.
async fn length(mut body: Body) -> usize {
    let mut length = 0;
    while let Some(chunk) = next(&mut body).await {
        length += chunk.len();
    }
    length
}

fn megabytes(count: usize) -> Body {
    let megabyte = Bytes::from(vec![7; 1 << 20]);
    Body::from_stream(stream::iter(std::iter::repeat_n(Ok::<_, std::convert::Infallible>(megabyte), count)))
}

#[tokio::test]
async fn an_answer_arrives_chunk_by_chunk() {
    let (events, body) = channel();
    let body = std::sync::Mutex::new(Some(body));
    let body = move || {
        let body = body.lock().expect("not poisoned").take().expect("is called once");
        async move { ([("content-type", "text/event-stream")], body) }
    };
    let body = std::sync::Arc::new(body);
    let proxy = proxy(&[&job(Router::new().route("/run", on_get(move || body()))).await]).await;
    events.send("data: 1\n\n").await.expect("is open");
    let mut answer =
        send(request("GET", &proxy, "/run").body(Body::empty()).expect("a request")).await.into_body();
    assert_eq!(next(&mut answer).await.as_deref(), Some(&b"data: 1\n\n"[..]));
    for event in ["data: 2\n\n", "data: 3\n\n"] {
        events.send(event).await.expect("is open");
        assert_eq!(next(&mut answer).await.as_deref(), Some(event.as_bytes()));
    }
    drop(events);
    assert_eq!(next(&mut answer).await, None);
}

#[tokio::test]
async fn an_upload_and_its_answer_go_on_at_once() {
    let echo = |request: Request| async move { request.into_body() };
    let proxy = proxy(&[&job(Router::new().route("/run", post(echo))).await]).await;
    let (chunks, body) = channel();
    let mut answer = send(request("POST", &proxy, "/run").body(body).expect("a request")).await.into_body();
    for chunk in ["one", "two", "three"] {
        chunks.send(chunk).await.expect("is open");
        assert_eq!(next(&mut answer).await.as_deref(), Some(chunk.as_bytes()));
    }
    drop(chunks);
    assert_eq!(next(&mut answer).await, None);
}

#[tokio::test]
async fn a_large_upload_and_a_large_answer_pass() {
    let count = |request: Request| async move { length(request.into_body()).await.to_string() };
    let routes =
        Router::new().route("/count", post(count)).route("/fill", on_get(|| async { megabytes(100) }));
    let proxy = proxy(&[&job(routes).await]).await;
    let upload = send(request("POST", &proxy, "/count").body(megabytes(100)).expect("a request")).await;
    assert_eq!(read(upload).await.2, (100 << 20).to_string());
    let answer = send(request("GET", &proxy, "/fill").body(Body::empty()).expect("a request")).await;
    assert_eq!(length(answer.into_body()).await, 100 << 20);
}

#[tokio::test]
async fn a_caller_may_read_the_answer_after_it_has_sent_all() {
    let (counted, mut count) = mpsc::channel(1);
    let answer_at_once = |request: Request| async move {
        tokio::spawn(async move { counted.send(length(request.into_body()).await).await });
        megabytes(32)
    };
    let proxy = proxy(&[&job(Router::new().route("/run", post(answer_at_once))).await]).await;
    let head = format!("POST {PREFIX}/run HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n", 32 << 20);
    let mut caller = raw(&proxy, &head).await;
    let sent = tokio::time::timeout(LONG, caller.write_all(&vec![7; 32 << 20])).await;
    sent.expect("is taken").expect("is sent");
    let counted = tokio::time::timeout(LONG, count.recv()).await.expect("arrives");
    assert_eq!(counted, Some(32 << 20));
}

#[tokio::test]
async fn the_length_of_an_upload_is_told_to_the_job() {
    let hint = |request: Request| async move {
        let hint = request.body().size_hint().exact();
        format!("{hint:?} {}", length(request.into_body()).await)
    };
    let proxy = proxy(&[&job(Router::new().route("/run", post(hint))).await]).await;
    for (body, expected) in
        [(Body::from("four"), "Some(4) 4"), (Body::empty(), "Some(0) 0"), (megabytes(1), "None 1048576")]
    {
        let answer = send(request("POST", &proxy, "/run").body(body).expect("a request")).await;
        assert_eq!(read(answer).await.2, expected);
    }
}

#[tokio::test]
async fn a_refusal_of_a_body_that_was_not_read_arrives() {
    let refuse = || async { (StatusCode::PAYLOAD_TOO_LARGE, "too large") };
    let proxy = proxy(&[&job(Router::new().route("/run", post(refuse))).await]).await;
    let head = format!("POST {PREFIX}/run HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n", 8 << 20);
    for _ in 0..20 {
        let mut caller = raw(&proxy, &head).await;
        let (mut from_proxy, mut to_proxy) = caller.split();
        let body = vec![7; 8 << 20];
        // The proxy may hang up on the rest of the body.
        let (_, answer) = tokio::join!(to_proxy.write_all(&body), async {
            let mut status = [0; 12];
            from_proxy.read_exact(&mut status).await.expect("is answered");
            status
        });
        assert_eq!(&answer, b"HTTP/1.1 413");
    }
}
