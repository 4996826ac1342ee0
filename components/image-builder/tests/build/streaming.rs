//! Builds as a stream of server-sent events, and several builds at once.

use std::num::NonZeroUsize;
use std::time::Duration;

use axum::body::to_bytes;
use racetrack_service::settings::Span;
use serde_json::Value;
use tower::ServiceExt;

use crate::harness::{ImageBuilderUnderTest, post, request};

const HEARTBEAT: &str = "event: keepalive_heartbeat\n\n";

async fn events(builder: &ImageBuilderUnderTest, body: &Value) -> String {
    let response = builder.router.clone().oneshot(post("/api/v1/build/sse", body)).await.expect("answers");
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    String::from_utf8(body.into()).expect("is text")
}

fn result(event: &str) -> Value {
    let json = event.strip_prefix("event: result\ndata: ").and_then(|rest| rest.strip_suffix("\n\n"));
    let json = json.unwrap_or_else(|| panic!("{event:?}"));
    assert!(!json.contains('\n'), "{json}");
    let mut outer: Value = serde_json::from_str(json).expect("is JSON");
    outer["result"].take()
}

#[tokio::test]
async fn the_result_is_the_last_event() {
    let builder = ImageBuilderUnderTest::start().await;
    let result_of = |events: String| result(&events);
    let built = result_of(events(&builder, &request("writes:1.0.0")).await);
    assert!(
        built["error"].is_null() && built["image_names"].as_array().is_some_and(|names| names.len() == 1)
    );
    let failed = result_of(events(&builder, &request("fails:1.0.0")).await);
    assert!(failed["error"].as_str().is_some_and(|error| error.contains("no compiler in sight")), "{failed}");
    assert!(failed["logs"].as_str().is_some_and(|logs| logs.contains("the recipe runs\n")), "{failed}");
    builder.assert_clean();
}

#[tokio::test]
async fn silence_is_broken_by_heartbeats() {
    let interval = Some(Span(Duration::from_millis(50)));
    let mut builder = ImageBuilderUnderTest::with(|settings| settings.heartbeat_interval = interval).await;
    let response = builder.router.clone().oneshot(post("/api/v1/build/sse", &request("waits:1.0.0")));
    let mut stream = Box::pin(response.await.expect("answers").into_body().into_data_stream());
    let mut next = async || {
        let chunk =
            std::future::poll_fn(|context| futures_util::Stream::poll_next(stream.as_mut(), context)).await;
        chunk.map(|chunk| String::from_utf8(chunk.expect("no error").into()).expect("is text"))
    };
    for _ in 0..3 {
        assert_eq!(next().await.as_deref(), Some(HEARTBEAT));
    }
    assert_eq!(builder.events.recv().await, Some("started"));
    builder.go_on.notify_one();
    let mut last = loop {
        let event = next().await.expect("the result is to come");
        if event != HEARTBEAT {
            break event;
        }
    };
    // It comes in pieces.
    while let Some(more) = next().await {
        last.push_str(&more);
    }
    assert!(result(&last)["error"].is_null(), "{last}");
}

#[tokio::test]
async fn further_builds_wait_in_line() {
    let one = NonZeroUsize::new(1);
    let mut builder = ImageBuilderUnderTest::with(|settings| settings.max_concurrent_builds = one).await;
    let (first, second) = (request("waits:1.0.0"), request("writes:1.0.0"));
    let spawn = |body: Value| {
        let response = builder.router.clone().oneshot(post("/api/v1/build", &body));
        tokio::spawn(async move {
            let body = response.await.expect("answers").into_body();
            let body = to_bytes(body, usize::MAX).await.expect("a body");
            serde_json::from_slice::<Value>(&body).expect("is JSON")
        })
    };
    let running = spawn(first.clone());
    assert_eq!(builder.events.recv().await, Some("started"));
    let (status, envelope) = builder.build(&first).await;
    assert_eq!((status, envelope["type"].as_str()), (409, Some("AlreadyExists")), "{envelope}");
    let waiting = spawn(second);
    builder.go_on.notify_one();
    let (first, second) = (running.await.expect("ends"), waiting.await.expect("ends"));
    assert!(first["error"].is_null() && second["error"].is_null(), "{first} {second}");
    let seen: Vec<_> = std::iter::from_fn(|| builder.events.try_recv().ok()).collect();
    assert_eq!(seen, ["ended", "started", "ended"]);
}

#[tokio::test]
async fn fifty_builds_at_once_all_finish() {
    let builder = ImageBuilderUnderTest::start().await;
    let builds = (0..50).map(|_| {
        let response = builder.router.clone().oneshot(post("/api/v1/build", &request("writes:1.0.0")));
        tokio::spawn(async move { to_bytes(response.await.expect("answers").into_body(), usize::MAX).await })
    });
    for build in builds.collect::<Vec<_>>() {
        let body = build.await.expect("does not panic").expect("a body");
        let result: Value = serde_json::from_slice(&body).expect("is JSON");
        assert!(result["error"].is_null(), "{result}");
    }
    builder.assert_clean();
}
