//! An image-builder on a loopback address that answers as a test tells it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::switches::Gate;

/// How a build is answered, behind some heartbeats.
#[derive(Clone)]
pub(crate) enum BuildAnswer {
    /// One image, named after the tag.
    Built,
    /// One image, when the test says so.
    BuiltAfter(Arc<Gate>),
    /// The data of the last event.
    Result(Value),
    /// Another status, with a body of JSON.
    Refused(u16, Value),
    /// The connection breaks.
    Broken,
    /// The stream ends without a result.
    Ended,
}

/// An image-builder.
#[derive(Clone)]
pub(crate) struct FakeImageBuilder {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Mutex<BuildAnswer>,
    is_well: Mutex<bool>,
    orders: Mutex<Vec<Order>>,
}

/// What was to be built.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) body: Value,
    pub(crate) token: Option<String>,
}

impl FakeImageBuilder {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared {
            answer: Mutex::new(BuildAnswer::Built),
            is_well: Mutex::new(true),
            orders: Mutex::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("an address");
        let address = listener.local_addr().expect("is bound");
        let routes = Router::new().route("/health", get(health)).route("/api/v1/build/sse", post(build));
        let routes = routes.with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, shared }
    }

    pub(crate) fn answer(&self, answer: BuildAnswer) {
        *self.shared.answer.lock().expect("not poisoned") = answer;
    }

    /// Makes builds wait at a gate.
    pub(crate) fn gate(&self) -> Arc<Gate> {
        let gate = Gate::new();
        self.answer(BuildAnswer::BuiltAfter(Arc::clone(&gate)));
        gate
    }

    pub(crate) fn is_well(&self, is_well: bool) {
        *self.shared.is_well.lock().expect("not poisoned") = is_well;
    }

    pub(crate) fn orders(&self) -> Vec<Order> {
        self.shared.orders.lock().expect("not poisoned").clone()
    }
}

async fn health(State(shared): State<Arc<Shared>>) -> StatusCode {
    if *shared.is_well.lock().expect("not poisoned") {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

async fn build(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).expect("is JSON");
    let token = headers.get("x-racetrack-auth").map(|token| token.to_str().expect("is text").to_owned());
    let image = format!(
        "registry/job-entrypoint/{}:{}",
        body["manifest"]["name"].as_str().unwrap_or("?"),
        body["tag"].as_str().unwrap_or("?")
    );
    shared.orders.lock().expect("not poisoned").push(Order { body, token });
    let answer = shared.answer.lock().expect("not poisoned").clone();
    let built = json!({"result": {"image_names": [image], "logs": "step 1\nstep 2\n", "error": null}});
    match answer {
        BuildAnswer::Built => events(Ok(Some(built))),
        BuildAnswer::BuiltAfter(gate) => {
            gate.pass().await;
            events(Ok(Some(built)))
        }
        BuildAnswer::Result(data) => events(Ok(Some(data))),
        BuildAnswer::Refused(status, body) => {
            (StatusCode::from_u16(status).expect("is a status"), Json(body)).into_response()
        }
        BuildAnswer::Broken => events(Err(io::ErrorKind::ConnectionReset.into())),
        BuildAnswer::Ended => events(Ok(None)),
    }
}

/// Heartbeats, and what comes last.
fn events(last: io::Result<Option<Value>>) -> Response {
    const HEARTBEAT: &str = "event: keepalive_heartbeat\n\n";
    let mut last = match last {
        Ok(None) => None,
        Ok(Some(data)) => Some(Ok(format!("event: result\ndata: {data}\n\n"))),
        Err(error) => Some(Err(error)),
    };
    let heartbeats = stream::iter([Ok(HEARTBEAT.to_owned()), Ok(HEARTBEAT.to_owned())]);
    // What is there is sent before the connection breaks.
    let last = stream::once(tokio::task::yield_now()).flat_map(move |()| stream::iter(last.take()));
    let body = Body::from_stream(heartbeats.chain(last));
    ([("content-type", "text/event-stream")], body).into_response()
}
