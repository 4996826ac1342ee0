//! Requests of browsers that show a page of another origin, and calls of jobs that are refused.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::harness::{Server, send};

#[tokio::test]
async fn pages_of_other_origins_may_use_the_api_with_a_token() {
    let server = Server::start().await;
    let asked = Request::options("/lifecycle/api/v1/job/adder/1.0.0")
        .header("origin", "https://dashboard.example.com")
        .header("access-control-request-method", "DELETE")
        .header("access-control-request-headers", "x-racetrack-auth");
    let answer = send(&server.router, asked.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.status, 200);
    for header in ["allow-origin", "allow-methods", "allow-headers"] {
        assert_eq!(answer.headers[format!("access-control-{header}")], "*");
    }
    // A page of another origin must not act by the cookie of whoever looks at it.
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    let get = Request::get("/api/v1/info").header("origin", "https://dashboard.example.com");
    let answer = send(&server.router, get.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
}

#[tokio::test]
async fn a_call_that_is_refused_names_its_request() {
    let server = Server::start().await;
    let call = Request::get("/pub/job/adder/latest/api/v1/perform").header("x-request-id", "id-1");
    let answer = send(&server.router, call.body(Body::empty()).expect("a request")).await;
    let error = "Proxy request error: Unauthenticated: no token is shown in the header X-Racetrack-Auth";
    assert_eq!((answer.status, answer.json()), (401, json!({"error": error, "requestId": "id-1"})));
    let call = Request::get("/pub/job/adder/latest");
    let answer = send(&server.router, call.body(Body::empty()).expect("a request")).await;
    assert_eq!(answer.json()["requestId"], answer.headers["x-request-id"].to_str().expect("is text"));
}

/// What is answered before any handler has an id, too.
#[tokio::test]
async fn whatever_is_answered_names_its_request() {
    let server = Server::start().await;
    let of_page = |request: axum::http::request::Builder| {
        request.header("origin", "https://evil.example").header("host", "racetrack.example")
    };
    let question = Request::options("/api/v1/info").header("access-control-request-method", "GET");
    for (request, status) in [
        (of_page(question), 200),
        (of_page(Request::get("/websocket/events")), 401),
        (of_page(Request::get("/nope")), 404),
        (of_page(Request::delete("/live")), 405),
    ] {
        let request = request.header("x-request-id", "id-1").body(Body::empty()).expect("a request");
        let answer = send(&server.router, request).await;
        assert_eq!(
            (answer.status, &answer.headers["x-request-id"]),
            (status, &"id-1".parse().expect("valid"))
        );
    }
}
