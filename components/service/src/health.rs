//! Whether the component lives, and whether it is ready for requests.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::watch;

use crate::Service;

/// Whether requests are welcome: from the end of the start to the signal to stop.
#[derive(Clone, Debug)]
pub struct Readiness(watch::Sender<Stage>);

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
        *self.0.borrow() == Stage::Serving
    }

    /// Waits until the component is about to stop. For what would go on for ever, such as open WebSockets: the server
    /// waits for them while it stops.
    pub async fn stopping(&self) {
        let mut stage = self.0.subscribe();
        // The sender is this very value, so it is there while this waits.
        let _ = stage.wait_for(|stage| *stage == Stage::Stopping).await;
    }

    pub(crate) fn serve(&self) {
        self.0.send_replace(Stage::Serving);
    }

    pub(crate) fn stop(&self) {
        self.0.send_replace(Stage::Stopping);
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self(watch::Sender::new(Stage::Starting))
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
