//! Every route of image-builder.

use axum::Router;
use axum::routing::get;
use racetrack_service::{health, http, metrics, plugin_endpoints};

use crate::{App, endpoints};

/// The routes, answered from `app`.
pub fn router(app: App) -> Router {
    let api = Router::new()
        .route("/plugin", get(plugin_endpoints::list))
        .route("/plugin/job_type/versions", get(plugin_endpoints::job_type_versions));
    let root = Router::new()
        .route("/health", get(endpoints::health))
        .route("/live", get(health::live))
        .route("/metrics", get(metrics::metrics))
        .route("/ready", get(health::ready))
        .nest("/api/v1", api);
    http::complete(root.with_state(app))
}
