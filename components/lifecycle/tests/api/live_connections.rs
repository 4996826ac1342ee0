//! How many clients may stay connected.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Method, Request};
use racetrack_lifecycle::settings::LifecycleSettings;
use serde_json::Value;

use crate::harness::{Answer, Server, send, settings};

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

async fn server(max: usize) -> Server {
    let max_live_connections = NonZeroUsize::new(max);
    Server::start_with(LifecycleSettings { max_live_connections, ..settings() }).await
}

async fn post(server: &Server, path: &str, body: String) -> Answer {
    let request = Request::post(path).header("content-type", "text/plain;charset=UTF-8");
    send(&server.router, request.body(Body::from(body)).expect("a request")).await
}

fn session_id(opened: &Answer) -> String {
    assert_eq!(opened.status, 200, "{opened:?}");
    let packet: Value = serde_json::from_slice(&opened.body[1..]).expect("is JSON");
    packet["sid"].as_str().expect("has an id").to_owned()
}

#[tokio::test]
async fn a_session_that_is_never_used_gives_its_place_back() {
    let server = server(2).await;
    for path in [OPEN, "/lifecycle/socket.io/?EIO=4&transport=polling"] {
        session_id(&server.get_from_root(path).await);
    }
    let refused = server.get_from_root(OPEN).await;
    assert_eq!(refused.error(), (503, "as many clients are connected as may be".to_owned()));
    assert_eq!(refused.headers["retry-after"], "5");
    let begin = Instant::now();
    while server.get_from_root(OPEN).await.status == 503 {
        assert!(begin.elapsed() < Duration::from_mins(1), "the sessions end");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_session_that_is_closed_gives_its_place_back_at_once() {
    let server = server(1).await;
    for _ in 0..5 {
        let mut opened = server.get_from_root(OPEN).await;
        // Far fewer than there are until one ends that is not closed, however slow the machine is.
        for _ in 0..1000 {
            if opened.status != 503 {
                break;
            }
            tokio::task::yield_now().await;
            opened = server.get_from_root(OPEN).await;
        }
        let session = format!("{OPEN}&sid={}", session_id(&opened));
        assert_eq!(post(&server, &session, "40".to_owned()).await.body, "ok", "has its place");
        while !String::from_utf8_lossy(&server.get_from_root(&session).await.body).contains("40{") {}
        assert_eq!(post(&server, &session, "1".to_owned()).await.body, "ok");
    }
}

#[tokio::test]
async fn what_a_session_sends_is_short() {
    let server = server(1).await;
    let session = format!("{OPEN}&sid={}", session_id(&server.get_from_root(OPEN).await));
    let refused = post(&server, &session, format!("4{}", "x".repeat(100 << 10))).await;
    assert!((400..500).contains(&refused.status), "{refused:?}");
}

#[tokio::test]
async fn a_made_up_session_needs_no_place_and_has_none() {
    let server = server(1).await;
    for id in ["", "x", "AAAAAAAAAAAAAAHs"] {
        assert_eq!(server.get_from_root(&format!("{OPEN}&sid={id}")).await.status, 400, "{id}");
    }
    let admin = server.admin().await;
    let events = server.call(&admin, Method::GET, "/websocket/events?sid=x").await;
    assert_eq!(events.status, 400, "is not a request for a WebSocket: {events:?}");
}
