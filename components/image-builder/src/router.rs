//! Every route of image-builder.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::HeaderValue;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use racetrack_service::{ApiError, health, http, metrics, plugin_endpoints};

use crate::phases::AUTH_HEADER;
use crate::{App, endpoints};

/// The routes, answered from `app`.
pub fn router(app: App) -> Router {
    let builds = Router::new()
        .route("/build", post(endpoints::build::build))
        .route("/build/sse", post(endpoints::build::build_sse))
        .layer(DefaultBodyLimit::max(app.builds.config().max_request_size))
        .layer(middleware::from_fn_with_state(app.clone(), authenticate));
    let api = Router::new()
        .route("/plugin", get(plugin_endpoints::list))
        .route("/plugin/job_type/versions", get(plugin_endpoints::job_type_versions))
        .merge(builds);
    let root = Router::new()
        .route("/health", get(endpoints::health::health))
        .route("/live", get(health::live))
        .route("/metrics", get(metrics::metrics))
        .route("/ready", get(endpoints::health::ready))
        .nest("/api/v1", api);
    http::complete(root.with_state(app))
}

/// Lets through who shows the secret that components share, if there is one.
async fn authenticate(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    let shown = request.headers().get(AUTH_HEADER).map(HeaderValue::as_bytes);
    match &app.builds.config().component_auth_token {
        Some(token) if !shown.is_some_and(|shown| token.is(shown)) => Err(ApiError::unauthorized(
            "Unauthenticated: builds are for lifecycle, which shows the component-auth-token of this image-builder",
        )),
        _ => Ok(next.run(request).await),
    }
}
