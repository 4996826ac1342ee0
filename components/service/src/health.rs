//! Whether the component lives, and whether it is ready for requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use crate::Service;

/// Whether requests are welcome: from the end of the start to the signal to stop.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

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
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
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
