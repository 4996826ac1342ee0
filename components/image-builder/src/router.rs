//! Every route of image-builder.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::HeaderValue;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use racetrack_service::{ApiError, health, http, metrics_endpoint, plugin_endpoints};

use crate::phases::AUTH_HEADER;
use crate::{App, endpoints};

/// The longest body, in bytes, that is read into memory. What is to be built has a limit of its own.
const MAX_BODY: usize = 4 << 20;

/// What a route asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Open,
    /// The secret that components share, if there is one.
    Components,
}

/// A route, as tests list it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method, in upper case.
    pub method: &'static str,
    /// The path from the root.
    pub path: &'static str,
    /// What it asks.
    pub access: Access,
}

/// The routes, answered from `app`.
pub fn router(app: App) -> Router {
    let mut root = Router::new();
    for (Route { path, access, .. }, handler) in routes() {
        let handler = match access {
            Access::Open => handler,
            Access::Components => handler
                .route_layer(DefaultBodyLimit::max(MAX_BODY))
                .route_layer(middleware::from_fn_with_state(app.clone(), authenticate)),
        };
        root = root.route(path, handler);
    }
    http::complete(root.with_state(app))
}

/// Every route, with what it asks of its caller.
pub fn route_list() -> Vec<Route> {
    routes().into_iter().map(|(route, _)| route).collect()
}

fn routes() -> Vec<(Route, MethodRouter<App>)> {
    use Access::{Components, Open};

    let reading = |access, path, handler| (Route { method: "GET", path, access }, handler);
    let working = |path, handler| (Route { method: "POST", path, access: Components }, handler);
    vec![
        working("/api/v1/build", post(endpoints::build::build)),
        working("/api/v1/build/sse", post(endpoints::build::build_sse)),
        reading(Components, "/api/v1/holdings", get(endpoints::holdings::holdings)),
        working("/api/v1/holdings/release", post(endpoints::holdings::release)),
        reading(Components, "/api/v1/plugin", get(plugin_endpoints::list)),
        reading(Components, "/api/v1/plugin/job_type/versions", get(plugin_endpoints::job_type_versions)),
        reading(Open, "/health", get(endpoints::health::health)),
        reading(Open, "/live", get(health::live)),
        reading(Open, "/metrics", get(metrics_endpoint::metrics)),
        reading(Open, "/ready", get(endpoints::health::ready)),
    ]
}

/// Lets through who shows the secret that components share, if there is one.
async fn authenticate(State(app): State<App>, request: Request, next: Next) -> Result<Response, ApiError> {
    let shown = request.headers().get(AUTH_HEADER).map(HeaderValue::as_bytes);
    match &app.builds.config().component_auth_token {
        Some(token) if !shown.is_some_and(|shown| token.is(shown)) => Err(ApiError::unauthorized(
            "Unauthenticated: this is for lifecycle, which shows the component-auth-token of this image-builder",
        )),
        _ => Ok(next.run(request).await),
    }
}
