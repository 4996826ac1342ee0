//! Jobs behind a remote gateway.

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderMap;
use racetrack_lifecycle::proxy::Gateway;

use crate::fixture::{dead_address, get, listener, proxy_through};

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

#[tokio::test]
async fn a_gateway_is_told_the_job_and_the_token() {
    let mirror = |headers: HeaderMap, request: Request| async move {
        let told = ["x-racetrack-gateway-token", "x-racetrack-job-internal-name", "host", "x-caller-name"];
        let told = told.map(|name| headers[name].to_str().expect("is text"));
        format!("{} {}", request.uri(), told.join(" "))
    };
    let (listener, address) = listener().await;
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(mirror)).await.expect("serves") });
    let gateway = Gateway { url: leak(format!("http://{address}/pub/")), token: Some("secret") };
    let proxy = proxy_through(&["job-a:7000", "job-b:7000"], Some(gateway)).await;
    for replica in ["job-a:7000", "job-b:7000", "job-a:7000"] {
        let (status, _, seen) = get(&proxy, "/live?a=1").await;
        let expected =
            format!("/pub/remote/forward/adder/0.0.1/live?a=1 secret {replica} {address} User admin");
        assert_eq!((status, seen), (200, expected));
    }
}

#[tokio::test]
async fn a_gateway_that_is_down_is_told_without_its_token() {
    let address = dead_address().await;
    let gateway = Gateway { url: leak(format!("http://{address}")), token: Some("hunter2") };
    let (status, _, body) = get(&proxy_through(&["job:7000"], Some(gateway)).await, "/").await;
    assert_eq!(status, 502);
    assert!(body.contains(&address) && !body.contains("hunter2"), "{body}");
}
