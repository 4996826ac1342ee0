//! What the caller sees of an answer.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::AppendHeaders;
use axum::routing::get as on_get;
use http_body_util::BodyExt;
use tokio::io::AsyncWriteExt;

use crate::fixture::{
    PREFIX, accept, get, job, listener, proxy, raw, read_to_end, read_until, request, send,
};

#[tokio::test]
async fn status_headers_and_body_are_passed_on() {
    let answer = || async {
        (StatusCode::IM_A_TEAPOT, [("x-own", "1"), ("connection", "x-hop"), ("x-hop", "1")], "tea")
    };
    let proxy = proxy(&[&job(Router::new().route("/run", on_get(answer))).await]).await;
    let (status, headers, body) = get(&proxy, "/run").await;
    assert_eq!((status, body.as_str(), &headers["x-own"]), (418, "tea", &"1".parse().expect("is a value")));
    assert_eq!(headers["content-length"], "3");
    assert!(!headers.contains_key("x-hop") && !headers.contains_key("connection"), "{headers:?}");
}

#[tokio::test]
async fn a_job_sets_cookies_but_no_tokens() {
    let answer = || async {
        let cookies =
            ["theme=dark", "X-Racetrack-Auth=a.b.c; Path=/", "x-racetrack-user-auth=a", "lang=en; Path=/"];
        (AppendHeaders(cookies.map(|cookie| ("set-cookie", cookie))), "")
    };
    let proxy = proxy(&[&job(Router::new().route("/run", on_get(answer))).await]).await;
    let (_, headers, _) = get(&proxy, "/run").await;
    let cookies: Vec<_> = headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["theme=dark", "lang=en; Path=/"]);
}

#[tokio::test]
async fn a_job_does_not_act_on_the_origin() {
    let answer = || async {
        let headers = [
            ("service-worker-allowed", "/"),
            ("clear-site-data", "\"*\""),
            ("strict-transport-security", "max-age=31536000"),
            ("alt-svc", "h2=\"evil.example:443\""),
            ("content-security-policy", "default-src 'self'"),
        ];
        (headers, "")
    };
    let proxy = proxy(&[&job(Router::new().route("/run", on_get(answer))).await]).await;
    let (_, headers, _) = get(&proxy, "/run").await;
    let found = ["service-worker-allowed", "clear-site-data", "strict-transport-security", "alt-svc"]
        .into_iter()
        .find(|name| headers.contains_key(*name));
    assert_eq!(found, None);
    assert_eq!(headers["content-security-policy"], "default-src 'self'");
}

#[tokio::test]
async fn a_redirect_within_the_job_becomes_relative() {
    let redirect = |headers: HeaderMap| async move {
        let host = headers["host"].to_str().expect("is text").to_owned();
        (StatusCode::FOUND, [("location", format!("http://{host}/pub/job/adder/0.0.1/docs?a=1"))])
    };
    let proxy = proxy(&[&job(Router::new().route("/run", on_get(redirect))).await]).await;
    assert_eq!(get(&proxy, "/run").await.1["location"], "/pub/job/adder/0.0.1/docs?a=1");
}

#[tokio::test]
async fn an_answer_without_a_body_keeps_its_length() {
    let proxy = proxy(&[&job(Router::new().route("/run", on_get(|| async { "twelve bytes" }))).await]).await;
    for _ in 0..2 {
        let head = request("HEAD", &proxy, "/run").body(Body::empty()).expect("a request");
        let response = send(head).await;
        assert_eq!((response.status().as_u16(), &response.headers()["content-length"]), (200, &12.into()));
    }
}

#[tokio::test]
async fn trailers_are_passed_on_and_leave_the_connection_open() {
    let (listener, address) = listener().await;
    let proxy = proxy(&[&address]).await;
    let calls = tokio::spawn(async move {
        for _ in 0..2 {
            let call = request("GET", &proxy, "/").header("te", "trailers").header("connection", "te");
            let response = send(call.body(Body::empty()).expect("a request")).await;
            let collected = response.into_body().collect().await.expect("a body");
            assert_eq!(collected.trailers().expect("has trailers")["x-sum"], "42");
            assert_eq!(collected.to_bytes(), "data");
        }
    });
    let mut job = accept(&listener).await;
    for _ in 0..2 {
        let head = read_until(&mut job, "\r\n\r\n").await;
        assert!(head.contains("\r\nte: trailers\r\n"), "{head}");
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n";
        job.write_all(head).await.expect("is sent");
        job.write_all(b"4\r\ndata\r\n0\r\nx-sum: 42\r\n\r\n").await.expect("is sent");
    }
    calls.await.expect("no panic");
}

#[tokio::test]
async fn what_a_job_may_not_say_it_does_not_say_behind_its_answer_either() {
    let (listener, address) = listener().await;
    let proxy = proxy(&[&address]).await;
    let ask = format!("GET {PREFIX}/ HTTP/1.1\r\nhost: h\r\nte: trailers\r\nconnection: te\r\n\r\n");
    let mut caller = raw(&proxy, &ask).await;
    let mut job = accept(&listener).await;
    read_until(&mut job, "\r\n\r\n").await;
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, Set-Cookie, Clear-Site-Data\r\n\r\n";
    job.write_all(head).await.expect("is sent");
    let body = b"4\r\ndata\r\n0\r\nset-cookie: a=b\r\nclear-site-data: \"*\"\r\nx-sum: 42\r\n\r\n";
    job.write_all(body).await.expect("is sent");
    let answer = read_until(&mut caller, "\r\nx-sum: 42\r\n\r\n").await.to_ascii_lowercase();
    assert!(answer.contains("\r\ntrailer: x-sum\r\n"), "{answer}");
    assert!(!answer.contains("set-cookie") && !answer.contains("clear-site-data"), "{answer}");
}

#[tokio::test]
async fn a_job_that_speaks_http_1_0_is_understood() {
    let (listener, address) = listener().await;
    let proxy = proxy(&[&address]).await;
    let mut caller = raw(&proxy, &format!("GET {PREFIX}/run HTTP/1.1\r\nhost: h\r\n\r\n")).await;
    let mut job = accept(&listener).await;
    read_until(&mut job, "\r\n\r\n").await;
    job.write_all(b"HTTP/1.0 200 OK\r\n\r\nto the end").await.expect("is sent");
    drop(job);
    let answer = read_until(&mut caller, "\r\n0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("to the end"), "{answer}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_breaks_off() {
    let (listener, address) = listener().await;
    let proxy = proxy(&[&address]).await;
    let mut caller = raw(&proxy, &format!("GET {PREFIX}/ HTTP/1.1\r\nhost: h\r\n\r\n")).await;
    let mut job = accept(&listener).await;
    read_until(&mut job, "\r\n\r\n").await;
    job.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.expect("is sent");
    read_until(&mut caller, "half").await;
    drop(job);
    assert_eq!(read_to_end(&mut caller).await, "");
}
