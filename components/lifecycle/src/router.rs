//! Every route of lifecycle. All of them are also served below `/lifecycle`.

use axum::Router;
use axum::routing::{delete, get, post};
use racetrack_service::{health, http, metrics, plugin_endpoints};

use crate::App;
use crate::endpoints::{self, plugin};

/// The routes, answered from `app`.
pub fn router(app: App) -> Router {
    let api = Router::new()
        .route("/plugin", get(plugin_endpoints::list))
        .route("/plugin/infrastructure_targets", get(plugin::infrastructure_targets))
        .route("/plugin/job_type/versions", get(plugin_endpoints::job_type_versions))
        .route("/plugin/tree", get(plugin::tree))
        .route("/plugin/upload", post(plugin::refuse_change))
        .route("/plugin/upload/{filename}", post(plugin::refuse_change))
        .route("/plugin/all", delete(plugin::refuse_change))
        .route("/plugin/{name}/docs", get(plugin::docs))
        .route("/plugin/{name}/run", post(plugin::run))
        .route("/plugin/{name}/{version}", delete(plugin::refuse_change));
    let root = Router::new()
        .route("/health", get(endpoints::health::health))
        .route("/live", get(health::live))
        .route("/metrics", get(metrics::metrics))
        .route("/ready", get(health::ready))
        .nest("/api/v1", api);
    http::complete(root.clone().nest("/lifecycle", root).with_state(app))
}
