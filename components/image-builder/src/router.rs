//! Every route of image-builder.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use racetrack_service::{health, http, metrics, plugin_endpoints};

use crate::{App, endpoints};

/// The routes, answered from `app`.
pub fn router(app: App) -> Router {
    let builds = Router::new()
        .route("/build", post(endpoints::build::build))
        .route("/build/sse", post(endpoints::build::build_sse))
        .layer(DefaultBodyLimit::max(app.builds.config().max_request_size));
    let api = Router::new()
        .route("/plugin", get(plugin_endpoints::list))
        .route("/plugin/job_type/versions", get(plugin_endpoints::job_type_versions))
        .merge(builds);
    let root = Router::new()
        .route("/health", get(endpoints::health::health))
        .route("/live", get(health::live))
        .route("/metrics", get(metrics::metrics))
        .route("/ready", get(health::ready))
        .nest("/api/v1", api);
    http::complete(root.with_state(app))
}
