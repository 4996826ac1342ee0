//! Attacks with paths, byte by byte over a connection: nobody gets past public endpoints, probes and the open routes.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::Server;

/// Longer than anything may take.
const LONG: Duration = Duration::from_mins(1);

/// Paths of a job whose endpoint `/public` is for everybody, as its probes are.
const CALLS: [&str; 57] = [
    "/pub/job/adder/2.0.0/secret",
    "/pub/job/adder/2.0.0/public/../secret",
    "/pub/job/adder/2.0.0/public/%2e%2e/secret",
    "/pub/job/adder/2.0.0/public/%2E%2E/secret",
    "/pub/job/adder/2.0.0/public/.%2e/secret",
    "/pub/job/adder/2.0.0/public/%2e./secret",
    "/pub/job/adder/2.0.0/public/..%2fsecret",
    "/pub/job/adder/2.0.0/public%2f..%2fsecret",
    "/pub/job/adder/2.0.0/public%2F%2E%2E%2Fsecret",
    "/pub/job/adder/2.0.0/public/..%5csecret",
    "/pub/job/adder/2.0.0/public\\..\\secret",
    "/pub/job/adder/2.0.0/public/..\\secret",
    "/pub/job/adder/2.0.0/public;/../secret",
    "/pub/job/adder/2.0.0/public/..;/secret",
    "/pub/job/adder/2.0.0/public/..;x=1/secret",
    "/pub/job/adder/2.0.0/public/%2e%2e;x/secret",
    "/pub/job/adder/2.0.0//public/../secret",
    "/pub/job/adder/2.0.0/public//../../secret",
    "/pub/job/adder/2.0.0/public/x/../../secret",
    "/pub/job/adder/2.0.0/public/..",
    "/pub/job/adder/2.0.0/./secret",
    "/pub/job/adder/2.0.0//secret",
    "/pub/job/adder/2.0.0/secret/../public",
    "/pub/job/adder/2.0.0/secret/%c0%ae%c0%ae/public",
    "/pub/job/adder/2.0.0/public/%c0%ae%c0%ae/secret",
    "/pub/job/adder/2.0.0/secret%2f..%2fpublic",
    "/pub/job/adder/2.0.0/publicity",
    "/pub/job/adder/2.0.0/public.html",
    "/pub/job/adder/2.0.0/public%00",
    "/pub/job/adder/2.0.0/public%00/secret",
    "/pub/job/adder/2.0.0/public%2fsecret",
    "/pub/job/adder/2.0.0/public;x",
    "/pub/job/adder/2.0.0/PUBLIC",
    "/pub/job/adder/2.0.0/xpublic",
    "/pub/job/adder/2.0.0/public%20",
    "/pub/job/adder/2.0.0/secret?/public",
    "/pub/job/adder/2.0.0/secret?path=/public",
    "/pub/job/adder/2.0.0/secret#/public",
    "/pub/job/adder/2.0.0/secret;/public",
    "/pub/job/adder/2.0.0/live/../secret",
    "/pub/job/adder/2.0.0/live%2f..%2fsecret",
    "/pub/job/adder/2.0.0/live/secret",
    "/pub/job/adder/2.0.0/live;x",
    "/pub/job/adder/2.0.0/LIVE",
    "/pub/job/adder/2.0.0/live%00",
    "/pub/job/adder/2.0.0/secret/live",
    "/pub/job/adder/2.0.0/secret%3f/live",
    "/pub/job/adder/2.0.0/../1.0.0/public",
    "/pub/job/adder/1.0.0/public",
    "/pub/job/adder/latest/secret",
    "/pub/job/adder/2.x/secret",
    "/pub/job/Adder/2.0.0/public",
    "/pub/job/adder/2.0.0%2fpublic/secret",
    "/pub/job/adder%2f2.0.0/public",
    "/pub/job/primer/../adder/2.0.0/secret",
    "http://localhost/pub/job/adder/2.0.0/secret",
    "http://live@localhost/pub/job/adder/2.0.0/public/../secret",
];

/// Paths that lead, or might be thought to lead, to what asks for a token.
const API: [&str; 44] = [
    "/api/v1/job",
    "/api/v1/job/adder/1.0.0",
    "/lifecycle/api/v1/job/adder/1.0.0",
    "/api/v1/job/",
    "/api/v1//job",
    "/api//v1/job",
    "//api/v1/job",
    "//evil.example/api/v1/job",
    "/API/v1/job",
    "/api/V1/job",
    "/api/v1/JOB",
    "/api/v1/./job",
    "/api/v1/info/../job",
    "/api/v1/info/%2e%2e/job",
    "/api/v1/info/..%2fjob",
    "/api/v1/info;/job",
    "/api/v1/info;x/../job",
    "/api/v1/job;info",
    "/api/v1/job;/info",
    "/api/v1/job?/info",
    "/api/v1/job?token=x&X-Racetrack-Auth=x",
    "/api/v1/job#/info",
    "/api/v1/job%00",
    "/api/v1/job%20",
    "/api/v1/job%2fadder%2f1.0.0",
    "/api/v1/job/adder%2f1.0.0",
    "/api/v1/job/adder/1.0.0%00",
    "/api/v1/job/adder/1.0.0;x",
    "/api/v1/job/adder/..",
    "/api/v1/job/adder/%c0%ae%c0%ae",
    "/api/v1/job/adder/%ff%fe",
    "/api/v1/j%6fb",
    "/%61pi/v1/job",
    "/api/v1/users/login/../../job",
    "/api/v1/users/register/%2e%2e/%2e%2e/job",
    "/health/../api/v1/job",
    "/docs/../api/v1/job",
    "/lifecycle/../api/v1/job",
    "/lifecycle/lifecycle/api/v1/job",
    "/lifecycle//api/v1/job",
    "/pub/../api/v1/job",
    "/pub/job/../../api/v1/job",
    "/pub/job/adder/2.0.0/public/../../../../../api/v1/job",
    "http://localhost/api/v1/job",
];

/// Headers with which some servers are told another path, method or caller than the request has.
const HEADERS: [&str; 12] = [
    "X-Original-URL: /health",
    "X-Rewrite-URL: /health",
    "X-Forwarded-Prefix: /health",
    "X-Forwarded-Path: /live",
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-User: admin",
    "X-Remote-User: admin",
    "X-Caller-Name: User admin",
    "X-HTTP-Method-Override: OPTIONS",
    "X-Method-Override: OPTIONS",
    "Authorization: Basic YWRtaW46YWRtaW4=",
    "Forwarded: for=127.0.0.1;host=localhost",
];

/// The status that is answered to a path, exactly as it is.
async fn status(address: SocketAddr, method: &str, target: &str, header: &str) -> u16 {
    let mut connection = TcpStream::connect(address).await.expect("connects");
    let request =
        format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{header}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.expect("is sent");
    let mut answer = Vec::new();
    let read = tokio::time::timeout(LONG, connection.read_to_end(&mut answer)).await;
    let _reset_or_end = read.expect("is answered");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("{method} {target}: {answer:?}"))
}

#[tokio::test]
async fn no_path_leads_past_what_is_open() {
    let server = Server::start().await;
    let requested = ["/public".to_owned()];
    let store = &server.app.store;
    store.request_public_endpoints("adder", "2.0.0", &requested).await.expect("is requested");
    let body = json!({ "endpoint": "/public", "active": true });
    server.put(&server.admin().await, "/job/adder/2.0.0/public-endpoints", &body).await.ok();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("is bound");
    let router = server.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });

    assert!(CALLS.len() + API.len() > 52);
    let refused = [400, 401, 404, 405];
    for path in CALLS.into_iter().chain(API) {
        for method in ["GET", "POST", "DELETE"] {
            let status = status(address, method, path, "x-a: b").await;
            assert!(refused.contains(&status), "{method} {path}: {status}");
        }
    }
    for header in HEADERS {
        for path in ["/pub/job/adder/2.0.0/secret", "/api/v1/job", "/api/v1/job/adder/1.0.0"] {
            let status = status(address, "GET", path, header).await;
            assert_eq!(status, 401, "{header}: {path}");
        }
    }
    for (method, target) in
        [("CONNECT", "localhost:80"), ("TRACE", "/api/v1/job"), ("OPTIONS", "*"), ("PRI", "*")]
    {
        let status = status(address, method, target, "x-a: b").await;
        assert!(refused.contains(&status), "{method} {target}: {status}");
    }
    // What is open is: the job has no replica.
    for path in ["public", "public/page.html", "live", "public/x..", "public/...", "public/..x"] {
        let path = format!("/pub/job/adder/2.0.0/{path}");
        assert_eq!(status(address, "GET", &path, "x-a: b").await, 502, "{path}");
    }
    assert_eq!(status(address, "GET", "/api/v1/info", "x-a: b").await, 200);
    // And whoever may call everything is not helped out of the job either.
    let token = format!("X-Racetrack-Auth: {}", server.admin().await);
    for path in CALLS.into_iter().filter(|path| path.starts_with("/pub/job/adder/2.0.0/public/..")) {
        assert_eq!(status(address, "GET", path, &token).await, 400, "{path}");
    }
}
