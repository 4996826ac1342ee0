//! Change events over a WebSocket.

use std::time::Instant;

use axum::body::Body;
use axum::http::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::server::Server;
use crate::soon;
use crate::websocket_client::WebSocketClient;

const EVENT: &str = r#"{"event":"job_models_changed"}"#;

/// A client that is connected for sure: its ping has been answered.
async fn listening(server: &Server, path: &str) -> WebSocketClient {
    let mut client = WebSocketClient::connect(server.address, path).await;
    client.send(Message::Ping("here".into())).await;
    assert_eq!(client.next().await, Some(Message::Pong("here".into())));
    client
}

#[tokio::test]
async fn a_client_hears_of_changes_of_jobs() {
    let server = Server::start().await;
    for path in ["/lifecycle/websocket/events", "/websocket/events"] {
        let mut client = listening(&server, path).await;
        server.store.delete_job("adder", "0.0.2", None, 0).await.expect("was there");
        assert_eq!(client.text().await, EVENT);
        server.deploy("adder", "0.0.2", Some("test")).await;
        assert_eq!(client.text().await, EVENT);
    }
}

#[tokio::test]
async fn many_changes_make_few_events() {
    let server = Server::start().await;
    let started = Instant::now();
    let mut client = listening(&server, "/lifecycle/websocket/events").await;
    for version in 0..200 {
        server.deploy("many", &format!("0.0.{version}"), Some("test")).await;
    }
    assert_eq!(client.text().await, EVENT);
    server.stop();
    let mut events = 1;
    while let Some(Message::Text(_)) = client.next().await {
        events += 1;
    }
    let most = 1 + started.elapsed().as_millis() / 100;
    assert!(events <= most && events < 200, "{events} events");
}

#[tokio::test]
async fn a_client_that_says_good_bye_is_answered() {
    let server = Server::start().await;
    let mut client = listening(&server, "/lifecycle/websocket/events").await;
    client.send(Message::Close(None)).await;
    assert_eq!(client.next().await, Some(Message::Close(None)));
    assert_eq!(client.next().await, None);
}

#[tokio::test]
async fn a_server_that_stops_says_so_and_does_not_wait() {
    let server = Server::start().await;
    let mut client = listening(&server, "/lifecycle/websocket/events").await;
    server.stop();
    let Some(Message::Close(Some(frame))) = client.next().await else { panic!("a close frame") };
    assert_eq!((frame.code, frame.reason.as_str()), (CloseCode::Away, "the server stops"));
    server.stopped().await;
}

#[tokio::test]
async fn an_ordinary_request_is_refused_in_the_shape_of_every_error() {
    let server = Server::start().await;
    let address = format!("http://{}/lifecycle/websocket/events", server.address);
    let request = Request::get(address).body(Body::empty()).expect("a request");
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let response = soon(client.request(request)).await.expect("answers");
    assert_eq!(response.status(), 400);
    let body = axum::body::to_bytes(Body::new(response.into_body()), usize::MAX).await.expect("a body");
    let body: serde_json::Value = serde_json::from_slice(&body).expect("is JSON");
    assert_eq!(body["type"], "ValueError");
}
