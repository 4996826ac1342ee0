//! Which replica gets a call, and what happens if none does.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::routing::{get as on_get, post};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::fixture::{accept, dead_address, get, job, listener, proxy, read, read_until, request, send};

async fn replica(name: &'static str) -> String {
    let echo = |body: String| async move { body };
    job(Router::new().route("/run", on_get(move || async move { name })).route("/run", post(echo))).await
}

#[tokio::test]
async fn replicas_take_turns() {
    let (a, b, c) = (replica("a").await, replica("b").await, replica("c").await);
    let proxy = proxy(&[&a, &b, &c]).await;
    let mut answers = String::new();
    for _ in 0..9 {
        answers += &get(&proxy, "/run").await.2;
    }
    assert_eq!(answers, "abcabcabc");
}

#[tokio::test]
async fn a_dead_replica_is_passed_over() {
    let (dead, a) = (dead_address().await, replica("a").await);
    let proxy = proxy(&[&dead, &a, &dead]).await;
    for _ in 0..6 {
        let (status, _, body) = get(&proxy, "/run").await;
        assert_eq!((status, body.as_str()), (200, "a"));
        let upload = request("POST", &proxy, "/run").body(Body::from("untouched")).expect("a request");
        assert_eq!(read(send(upload).await).await.2, "untouched");
    }
}

/// The address of a replica that dies of each call. Whenever it got one, it is told.
async fn dying_replica() -> (String, mpsc::UnboundedReceiver<()>) {
    let (listener, address) = listener().await;
    let (called, calls) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            read_until(&mut accept(&listener).await, "\r\n\r\n").await;
            if called.send(()).is_err() {
                return;
            }
        }
    });
    (address, calls)
}

#[tokio::test]
async fn the_next_replica_answers_what_another_one_died_of() {
    let ((dying, mut calls), a) = (dying_replica().await, replica("a").await);
    let proxy = proxy(&[&dying, &a]).await;
    for _ in 0..4 {
        let (status, _, body) = get(&proxy, "/run").await;
        assert_eq!((status, body.as_str()), (200, "a"));
    }
    for _ in 0..2 {
        calls.try_recv().expect("each second call was for the dying replica");
    }
    assert_eq!(calls.try_recv(), Err(mpsc::error::TryRecvError::Empty));
}

#[tokio::test]
async fn what_a_replica_may_have_done_is_not_done_by_another_one() {
    let ((dying, mut calls), a) = (dying_replica().await, replica("a").await);
    let proxy = proxy(&[&dying, &a]).await;
    let upload = request("POST", &proxy, "/run").body(Body::from("\r\n\r\n")).expect("a request");
    assert_eq!(send(upload).await.status(), 502);
    calls.try_recv().expect("the call was for the dying replica");
}

#[tokio::test]
async fn a_call_that_replicas_die_of_reaches_two_of_them() {
    let [(a, mut calls_of_a), (b, mut calls_of_b), (c, mut calls_of_c)] =
        [dying_replica().await, dying_replica().await, dying_replica().await];
    let (status, _, body) = get(&proxy(&[&a, &b, &c]).await, "/run").await;
    assert_eq!(status, 502);
    assert!(body.contains(&format!("Reverse proxy error: the call to {b} failed")), "{body}");
    calls_of_a.try_recv().expect("was called");
    calls_of_b.try_recv().expect("was called");
    assert_eq!(calls_of_c.try_recv(), Err(mpsc::error::TryRecvError::Empty));
}

#[tokio::test]
async fn a_job_that_is_down_is_told_as_upstream_does() {
    let dead = dead_address().await;
    let proxy = proxy(&[&dead]).await;
    let call = request("GET", &proxy, "/run").header("x-request-tracing-id", "id-1");
    let (status, headers, body) = read(send(call.body(Body::empty()).expect("a request")).await).await;
    assert_eq!((status, &headers["content-type"]), (502, &"application/json".parse().expect("is a value")));
    assert_eq!(headers["x-request-tracing-id"], "id-1");
    let mut body: Value = serde_json::from_str(&body).expect("is JSON");
    let error = body["error"].take();
    let start = format!("Reverse proxy error: cannot connect to {dead}: ");
    assert!(error.as_str().is_some_and(|error| error.starts_with(&start)), "{error}");
    let expected = json!({
        "error": null, "jobName": "adder", "jobVersion": "0.0.1", "jobStatus": "running", "requestId": "id-1",
        "caller": "User admin",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_job_without_replicas_is_told_so() {
    let (status, _, body) = get(&proxy(&[]).await, "/").await;
    assert_eq!(status, 502);
    assert!(body.contains("Reverse proxy error: the job has no replica"), "{body}");
}

#[tokio::test]
async fn a_connection_serves_one_call_after_the_other() {
    let callers: Arc<Mutex<HashSet<SocketAddr>>> = Arc::default();
    let seen = Arc::clone(&callers);
    let note = move |ConnectInfo(caller): ConnectInfo<SocketAddr>, body: String| async move {
        seen.lock().expect("not poisoned").insert(caller);
        body
    };
    let empty = || async {};
    let routes = Router::new().route("/pub/job/adder/0.0.1/note", post(note));
    let routes = routes.route("/pub/job/adder/0.0.1/empty", on_get(empty));
    let (listener, address) = listener().await;
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, routes).await.expect("serves") });
    let proxy = proxy(&[&address]).await;
    for _ in 0..10 {
        let call = request("POST", &proxy, "/note").body(Body::from("body")).expect("a request");
        assert_eq!(read(send(call).await).await.2, "body");
        assert_eq!(get(&proxy, "/empty").await.0, 200);
    }
    assert_eq!(callers.lock().expect("not poisoned").len(), 1);
}
