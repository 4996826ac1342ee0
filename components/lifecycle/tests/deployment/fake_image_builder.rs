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
use tokio::sync::watch;

use super::harness::PATIENCE;
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
    /// What it says it holds.
    held: Mutex<Held>,
    /// How often it was asked for that, which is also the mark, and what was released since.
    sweeps: watch::Sender<(u64, Vec<Value>)>,
}

#[derive(Default)]
struct Held {
    images: Vec<Value>,
    build_logs: Vec<String>,
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
            held: Mutex::default(),
            sweeps: watch::Sender::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("an address");
        let address = listener.local_addr().expect("is bound");
        let routes = Router::new().route("/health", get(health)).route("/api/v1/build/sse", post(build));
        let routes = routes.route("/api/v1/holdings", get(holdings));
        let routes = routes.route("/api/v1/holdings/release", post(release));
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

    /// Says from now on that it holds this image and the log of this deployment.
    pub(crate) fn hold(&self, image: &str, deployment: &str) {
        let mut held = self.shared.held.lock().expect("not poisoned");
        held.images.push(json!({"name": image, "deployment_id": deployment}));
        held.build_logs.push(deployment.to_owned());
    }

    /// What is released when it is asked for what it holds from now on: the names of images, and the deployments.
    pub(crate) async fn next_release(&self) -> (Vec<String>, Vec<String>) {
        let mut sweeps = self.shared.sweeps.subscribe();
        let asked = sweeps.borrow().0;
        let is_later = |release: &Value| {
            release["mark"].as_str().and_then(|mark| mark.parse().ok()).is_some_and(|mark: u64| mark > asked)
        };
        let sweeps = sweeps.wait_for(|(_, releases)| releases.iter().any(is_later));
        let sweeps =
            tokio::time::timeout(PATIENCE, sweeps).await.expect("in time").expect("the sender lives");
        let release = sweeps.1.iter().find(|release| is_later(release)).expect("is there").clone();
        let texts = |key: &str| serde_json::from_value(release[key].clone()).expect("texts");
        (texts("images"), texts("build_logs"))
    }

    /// Waits until it was asked twice more for what it holds; whether something was released then.
    pub(crate) async fn is_released_when_asked_twice(&self) -> bool {
        let mut sweeps = self.shared.sweeps.subscribe();
        let (asked, count) = (sweeps.borrow().0, sweeps.borrow().1.len());
        let sweeps = sweeps.wait_for(|(now, _)| *now >= asked + 2);
        let sweeps =
            tokio::time::timeout(PATIENCE, sweeps).await.expect("in time").expect("the sender lives");
        sweeps.1.len() > count
    }

    /// How often it was asked for what it holds.
    pub(crate) fn asked(&self) -> u64 {
        self.shared.sweeps.borrow().0
    }

    /// The platforms that released something.
    pub(crate) fn platforms(&self) -> Vec<Value> {
        self.shared.sweeps.borrow().1.iter().map(|release| release["platform_id"].clone()).collect()
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

async fn holdings(State(shared): State<Arc<Shared>>) -> Json<Value> {
    shared.sweeps.send_modify(|(asked, _)| *asked += 1);
    let mark = shared.sweeps.borrow().0.to_string();
    let held = shared.held.lock().expect("not poisoned");
    Json(json!({"mark": mark, "images": held.images, "build_logs": held.build_logs}))
}

async fn release(State(shared): State<Arc<Shared>>, body: Bytes) -> Json<Value> {
    let body: Value = serde_json::from_slice(&body).expect("is JSON");
    shared.sweeps.send_modify(|(_, releases)| releases.push(body));
    Json(json!({}))
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
