//! Whether the component lives, and whether it is ready for requests.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::watch;

use crate::Service;

/// Whether requests are welcome: from the end of the start to the signal to stop.
#[derive(Clone, Debug)]
pub struct Readiness {
    stage: watch::Sender<Stage>,
    holds: watch::Sender<usize>,
}

/// Keeps a component that stops from ending, until it is dropped or the grace period is over.
#[derive(Debug)]
pub struct Hold(watch::Sender<usize>);

/// Where a component is between its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Serving,
    Stopping,
}

/// What `GET /live` answers.
#[derive(Debug, Serialize)]
pub struct Live {
    service: &'static str,
    live: bool,
}

/// What `GET /ready` answers.
#[derive(Debug, Serialize)]
pub struct Ready {
    service: &'static str,
    ready: bool,
}

impl Readiness {
    /// Whether requests are welcome.
    pub fn is_ready(&self) -> bool {
        *self.stage.borrow() == Stage::Serving
    }

    /// Waits until the component is about to stop. For what would go on for ever, such as an open `WebSocket`: the
    /// server waits for it while it stops.
    pub async fn stopping(&self) {
        let mut stage = self.stage.subscribe();
        // The sender is this very value, so it is there while this waits.
        let _ = stage.wait_for(|stage| *stage == Stage::Stopping).await;
    }

    /// For work that is to be done while the component stops, and that no request waits for.
    #[must_use]
    pub fn hold(&self) -> Hold {
        self.holds.send_modify(|holds| *holds += 1);
        Hold(self.holds.clone())
    }

    /// Waits until nothing holds the component any more.
    pub(crate) async fn released(&self) {
        let mut holds = self.holds.subscribe();
        // The sender is this very value, so it is there while this waits.
        let _ = holds.wait_for(|holds| *holds == 0).await;
    }

    pub(crate) fn serve(&self) {
        self.stage.send_replace(Stage::Serving);
    }

    pub(crate) fn stop(&self) {
        self.stage.send_replace(Stage::Stopping);
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self { stage: watch::Sender::new(Stage::Starting), holds: watch::Sender::new(0) }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.send_modify(|holds| *holds -= 1);
    }
}

/// `GET /live`: the process answers.
pub async fn live(State(service): State<Service>) -> Json<Live> {
    Json(Live { service: service.identity.component, live: true })
}

/// `GET /ready`: 200 when requests are welcome, 503 when the component is about to stop.
pub async fn ready(State(service): State<Service>) -> (StatusCode, Json<Ready>) {
    let ready = service.readiness.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let service = service.identity.component;
    (status, Json(Ready { service, ready }))
}
