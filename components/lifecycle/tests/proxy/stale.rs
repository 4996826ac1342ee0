//! Connections that a job closed after an earlier call.

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use axum::body::Body;

use crate::fixture::{accept, get, listener, proxy, read, read_until, request, send};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Reads a request that ends with `end` and answers it.
async fn answer(job: &mut TcpStream, end: &str) {
    read_until(job, end).await;
    job.write_all(ANSWER).await.expect("is sent");
}

/// A proxy in front of a job that has answered one call, with the connection of that call.
async fn called_once() -> (String, TcpListener, TcpStream) {
    let (listener, address) = listener().await;
    let proxy = proxy(&[&address]).await;
    let first = tokio::spawn({
        let proxy = proxy.clone();
        async move { get(&proxy, "/").await }
    });
    let mut job = accept(&listener).await;
    answer(&mut job, "\r\n\r\n").await;
    assert_eq!(first.await.expect("no panic").2, "ok");
    (proxy, listener, job)
}

fn call(method: &'static str, proxy: String) -> JoinHandle<(u16, String)> {
    tokio::spawn(async move {
        let body = if method == "POST" { Body::from("body") } else { Body::empty() };
        let response = send(request(method, &proxy, "/").body(body).expect("a request")).await;
        let (status, _, body) = read(response).await;
        (status, body)
    })
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_is_replaced() {
    for (method, end) in [("GET", "\r\n\r\n"), ("POST", "\r\n\r\nbody")] {
        let (proxy, listener, job) = called_once().await;
        drop(job);
        let call = call(method, proxy);
        answer(&mut accept(&listener).await, end).await;
        assert_eq!(call.await.expect("no panic"), (200, "ok".to_owned()), "{method}");
    }
}

#[tokio::test]
async fn a_repeatable_call_is_repeated_when_a_reused_connection_breaks() {
    for method in ["GET", "DELETE"] {
        let (proxy, listener, mut job) = called_once().await;
        let call = call(method, proxy);
        read_until(&mut job, "\r\n\r\n").await;
        drop(job);
        answer(&mut accept(&listener).await, "\r\n\r\n").await;
        assert_eq!(call.await.expect("no panic"), (200, "ok".to_owned()), "{method}");
    }
}

#[tokio::test]
async fn what_the_job_may_have_done_is_not_done_twice() {
    let (proxy, listener, mut job) = called_once().await;
    let call = call("POST", proxy);
    read_until(&mut job, "\r\n\r\nbody").await;
    drop(job);
    tokio::select! {
        result = call => assert_eq!(result.expect("no panic").0, 502),
        _ = listener.accept() => panic!("the call was repeated"),
    }
}

#[tokio::test]
async fn a_job_that_breaks_off_each_call_is_told_as_down() {
    let (proxy, listener, mut job) = called_once().await;
    let call = call("GET", proxy);
    read_until(&mut job, "\r\n\r\n").await;
    drop(job);
    read_until(&mut accept(&listener).await, "\r\n\r\n").await;
    tokio::select! {
        result = call => assert_eq!(result.expect("no panic").0, 502),
        _ = listener.accept() => panic!("the call was repeated twice"),
    }
}
