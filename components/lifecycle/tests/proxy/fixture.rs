//! A job, a proxy in front of it, and a caller.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::future::BoxFuture;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use racetrack_lifecycle::proxy::{Gateway, JobProxy, Upstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Longer than anything may take.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// Where callers find the job.
pub(crate) const PREFIX: &str = "/pub/job/adder/latest";

pub(crate) async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("is bound").to_string();
    (listener, address)
}

/// The job's side of the next connection.
pub(crate) async fn accept(listener: &TcpListener) -> TcpStream {
    let accepted = tokio::time::timeout(LONG, listener.accept()).await;
    accepted.expect("is connected to").expect("is accepted").0
}

/// An address where nobody listens.
pub(crate) async fn dead_address() -> String {
    listener().await.1
}

/// Serves a job. Its routes are relative to where jobs are.
pub(crate) async fn job(routes: Router) -> String {
    let (listener, address) = listener().await;
    let routes = Router::new().nest("/pub/job/adder/0.0.1", routes);
    tokio::spawn(async move { axum::serve(listener, routes).await.expect("serves") });
    address
}

/// Serves the proxy in front of these replicas.
pub(crate) async fn proxy(replicas: &[&str]) -> String {
    proxy_through(replicas, None).await
}

pub(crate) async fn proxy_through(replicas: &[&str], gateway: Option<Gateway<'static>>) -> String {
    proxy_until(replicas, gateway, &Arc::default()).await
}

/// The same; calls that last are cut off when `lost` is notified.
pub(crate) async fn proxy_until(
    replicas: &[&str],
    gateway: Option<Gateway<'static>>,
    lost: &Arc<Notify>,
) -> String {
    let lost = Arc::clone(lost);
    let (listener, address) = listener().await;
    let replicas: Vec<String> = replicas.iter().map(|replica| (*replica).to_owned()).collect();
    let proxy = JobProxy::new();
    let forward = move |request: Request| async move {
        let path = request.uri().path().to_owned();
        let upstream = Upstream {
            job_name: "adder",
            job_version: "0.0.1",
            replicas: &replicas,
            status: "running",
            path: path.strip_prefix(PREFIX).expect("is a call of the job"),
            caller: "User admin",
            gateway,
        };
        let watch_right =
            Box::new(move || Box::pin(async move { lost.notified().await }) as BoxFuture<'static, ()>);
        proxy.forward(upstream, request, watch_right).await
    };
    let routes = Router::new().fallback(forward).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, routes).await.expect("serves") });
    address
}

pub(crate) fn client() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A request for a path of the job at this proxy.
pub(crate) fn request(method: &str, proxy: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(format!("http://{proxy}{PREFIX}{path}"))
}

pub(crate) async fn send(request: Request) -> Response {
    let response = tokio::time::timeout(LONG, client().request(request)).await;
    response.expect("answers").expect("is an answer").map(Body::new)
}

/// Status, headers and body of the answer to a GET.
pub(crate) async fn get(proxy: &str, path: &str) -> (u16, HeaderMap, String) {
    read(send(request("GET", proxy, path).body(Body::empty()).expect("a request")).await).await
}

pub(crate) async fn read(response: Response) -> (u16, HeaderMap, String) {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.expect("a whole body");
    (parts.status.as_u16(), parts.headers, String::from_utf8(body.to_vec()).expect("is text"))
}

/// Reads up to and including `end`.
pub(crate) async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let byte = tokio::time::timeout(LONG, stream.read_u8()).await.expect("sends something");
        text.push(byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&text))));
    }
    String::from_utf8(text).expect("is text")
}

/// Reads to the end of the stream.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    let read = tokio::time::timeout(LONG, stream.read_to_string(&mut text)).await;
    read.expect("is closed").expect("ends well");
    text
}

/// Sends bytes to an address, over a connection of their own.
pub(crate) async fn raw(address: &str, bytes: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    stream.write_all(bytes.as_bytes()).await.expect("is sent");
    stream
}
