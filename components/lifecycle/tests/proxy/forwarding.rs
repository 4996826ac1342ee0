//! What the job sees of a call.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::post;
use futures_util::{StreamExt, stream};
use racetrack_lifecycle::proxy::{JobProxy, Upstream};
use racetrack_service::StalledBody;

use crate::fixture::{PREFIX, get, job, proxy, raw, read, read_to_end, read_until, request, send};

/// Answers with the request as it came, headers sorted.
fn mirror() -> Router {
    Router::new().fallback(|request: Request| async move {
        let mut headers: Vec<String> = request
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        headers.sort();
        format!("{} {}\n{}", request.method(), request.uri(), headers.join("\n"))
    })
}

#[tokio::test]
async fn a_call_arrives_as_it_was_sent() {
    let job = job(mirror()).await;
    let proxy = proxy(&[&job]).await;
    let call = request("PATCH", &proxy, "/a%20b//c?x=%7e&y").header("accept", "a/b").header("x-own", "1");
    let call = call.header("x-request-tracing-id", "id-1").header("x-caller-name", "User root");
    let call = call.header("x-racetrack-auth", "token").header("cookie", "a=1; X-Racetrack-Auth=token");
    let (status, headers, seen) = read(send(call.body(Body::from("12")).expect("a request")).await).await;
    let expected = format!(
        "PATCH /a%20b//c?x=%7e&y
accept: a/b
content-length: 2
cookie: a=1
host: {job}
x-caller-name: User admin
x-forwarded-for: 127.0.0.1
x-forwarded-host: {proxy}
x-forwarded-proto: http
x-own: 1
x-request-tracing-id: id-1"
    );
    assert_eq!((status, &headers["x-request-tracing-id"]), (200, &"id-1".parse().expect("is a value")));
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_tracing_id_is_made_and_told_to_both() {
    let proxy = proxy(&[&job(mirror()).await]).await;
    let (_, headers, seen) = get(&proxy, "/x").await;
    let id = headers["x-request-tracing-id"].to_str().expect("is text");
    assert_eq!(id.len(), 36);
    assert!(seen.contains(&format!("x-request-tracing-id: {id}")), "{seen}");
    assert_ne!(get(&proxy, "/x").await.1["x-request-tracing-id"], id);
}

#[tokio::test]
async fn the_root_of_a_job_is_called_without_a_slash_if_the_caller_left_it_out() {
    let routes = Router::new().route("/pub/job/adder/0.0.1", axum::routing::get(|| async { "root" }));
    let (listener, address) = crate::fixture::listener().await;
    tokio::spawn(async move { axum::serve(listener, routes).await.expect("serves") });
    let (status, _, body) = get(&proxy(&[&address]).await, "").await;
    assert_eq!((status, body.as_str()), (200, "root"));
}

#[tokio::test]
async fn a_caller_of_http_1_0_is_answered() {
    let proxy = proxy(&[&job(mirror()).await]).await;
    let mut caller = raw(&proxy, &format!("GET {PREFIX}/x HTTP/1.0\r\nhost: h\r\n\r\n")).await;
    let answer = read_to_end(&mut caller).await;
    assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    assert!(answer.contains("GET /x\n"), "{answer}");
}

#[tokio::test]
async fn a_path_with_dots_is_refused() {
    let proxy = proxy(&[&job(mirror()).await]).await;
    let mut caller = raw(&proxy, &format!("GET {PREFIX}/open/../closed HTTP/1.1\r\nhost: h\r\n\r\n")).await;
    let answer = read_until(&mut caller, "}").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn a_caller_who_stops_sending_is_the_one_to_blame() {
    let job = job(Router::new().route("/take", post(async |body: String| body))).await;
    let proxy = JobProxy::new();
    let replicas = [job];
    let upstream = Upstream {
        job_name: "adder",
        job_version: "0.0.1",
        replicas: &replicas,
        status: "running",
        path: "/take",
        caller: "User admin",
        gateway: None,
    };
    let begun = stream::iter([Ok("begun")]).chain(stream::iter([Err(StalledBody)]));
    let request = Request::post("/take").body(Body::from_stream(begun)).expect("a request");
    let (status, _, text) =
        read(proxy.forward(upstream, request, Box::new(|| Box::pin(std::future::pending()))).await).await;
    assert!(status == 408 && text.contains("the client stopped sending the body of the request"), "{text}");
}
