//! The endpoints that say whether the component lives, and whether it is ready for requests.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use crate::Service;
pub use crate::readiness::{Hold, Readiness};

/// What `GET /live` answers.
#[derive(Debug, Serialize)]
pub struct Live {
    service: &'static str,
    live: bool,
}

/// What `GET /ready` answers.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the key has the name of the path")]
pub struct Ready {
    service: &'static str,
    ready: bool,
    /// Why requests are not welcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// `GET /live`: the process answers.
pub async fn live(State(service): State<Service>) -> Json<Live> {
    Json(Live { service: service.identity.component, live: true })
}

/// `GET /ready`: 200 when requests are welcome, 503 with the reason when the component is about to stop, or for whatever else
/// the component says stands against it.
pub async fn ready(
    service: &Service,
    objection: impl Future<Output = Option<String>>,
) -> (StatusCode, Json<Ready>) {
    let component = service.identity.component;
    let reason = if service.readiness.is_ready() {
        objection.await
    } else {
        Some(format!("{component} is starting, or about to stop"))
    };
    let status = if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { service: component, ready: reason.is_none(), reason }))
}
