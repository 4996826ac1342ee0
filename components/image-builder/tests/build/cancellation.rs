//! Callers who hang up.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::harness::{ImageBuilderUnderTest, names, post, request};

/// Waits until a build has been cleaned up, which happens on threads that nobody waits for.
async fn is_clean(builder: &ImageBuilderUnderTest) {
    let is_empty = |folder: &Path, left: usize| names(folder).len() == left;
    let (workspaces, bundles) =
        (builder.folder.path().join("workspaces"), builder.folder.path().join("bundles"));
    let mut interval = tokio::time::interval(Duration::from_millis(5));
    let cleaned = async {
        while !is_empty(&workspaces, 1) || !is_empty(&bundles, 1) {
            interval.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), cleaned).await.expect("is cleaned up");
}

async fn send(builder: &ImageBuilderUnderTest, path: &str, body: &Value) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("has one");
    let router = builder.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut connection = TcpStream::connect(address).await.expect("connects");
    let body = body.to_string();
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    connection.write_all((head + &body).as_bytes()).await.expect("is sent");
    connection
}

#[tokio::test]
async fn a_build_ends_when_its_caller_hangs_up() {
    for path in ["/api/v1/build", "/api/v1/build/sse"] {
        let mut builder = ImageBuilderUnderTest::start().await;
        let body = request("hangs:1.0.0");
        let connection = send(&builder, path, &body).await;
        assert_eq!(builder.events.recv().await, Some("started"));
        drop(connection);
        assert_eq!(builder.events.recv().await, Some("ended"), "{path}");
        is_clean(&builder).await;
        let log = builder.kept_log(&body);
        assert!(
            log.ends_with("the recipe runs\nerror: the caller hung up, so the build was cancelled\n"),
            "{log}"
        );
        let (bundle, _) = builder
            .built(&{
                let mut again = request("writes:1.0.0");
                again["deployment_id"] = body["deployment_id"].clone();
                again
            })
            .await;
        assert!(bundle.exists());
    }
}

/// Whether any process has an argument with that text, where the system tells.
fn is_in_an_argument(text: &str) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    let mut processes =
        processes.filter_map(|process| std::fs::read(process.ok()?.path().join("cmdline")).ok());
    processes.any(|arguments| String::from_utf8_lossy(&arguments).contains(text))
}

#[tokio::test]
async fn git_is_killed_when_its_build_ends() {
    let builder = ImageBuilderUnderTest::start().await;
    let server = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let mut body = request("writes:1.0.0");
    body["build_context"] = Value::Null;
    let address = server.local_addr().expect("has one");
    body["manifest"]["git"]["remote"] = json!(format!("http://{address}/jobs.git"));
    body["git_credentials"] = json!({"username": "bob", "password": "s3cr3t-of-this-test"});
    let build = tokio::spawn(builder.router.clone().oneshot(post("/api/v1/build", &body)));
    let (mut connection, _) = server.accept().await.expect("git connects");
    assert!(!is_in_an_argument("s3cr3t-of-this-test"), "every user of the machine can see it");
    build.abort();
    // The connection ends with the last process that holds it.
    let mut sent = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), connection.read_to_end(&mut sent)).await;
    assert!(read.is_ok(), "git still runs");
    is_clean(&builder).await;
}
