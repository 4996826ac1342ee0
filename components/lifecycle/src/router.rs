//! Every route of lifecycle. All of them but the calls of jobs are also served below `/lifecycle`.

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{any, get};
use axum::{Extension, Router};
use racetrack_service::{ApiError, health, http, metrics_endpoint};
use racetrack_store::Scope;
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use crate::App;
use crate::auth::{Access, Credential, Right, Standing};
use crate::endpoints::document::{self, Document};
use crate::endpoints::{
    audit, authorization, deployment, esc, health as own_health, info, job, job_logs, jobs, maintenance,
    permission, plugin, plugin_config, proxy, session, token, user, users,
};
use crate::origins;
use crate::realtime::change_events;
use crate::realtime::live_connections::{self, LiveConnection};
use crate::realtime::log_streaming::LogStreaming;
use crate::routes::{Route, Routes};

/// The largest body that is taken, in bytes, where it is no deployment: the configuration of a plugin may have 1 MiB.
const MAX_BODY_SIZE: usize = 4 << 20;

/// The largest body that is taken of somebody who need not be known, in bytes: a name and a password.
const MAX_CREDENTIALS_SIZE: usize = 16 << 10;

/// The subprotocol of change events.
const EVENTS_PROTOCOL: &str = "racetrack.events";

/// The routes, answered from `app`.
pub fn router(app: App) -> Router {
    let (root, calls) = routes(&app).into_routers();
    let limit = DefaultBodyLimit::max(MAX_BODY_SIZE);
    let root = root.clone().nest("/lifecycle", root).layer(limit);
    let guard = from_fn_with_state(app.clone(), origins::guard);
    http::complete_with(root.merge(calls).with_state(app), |routes| routes.layer(guard))
}

/// The same routes, for bodies of up to so many bytes.
fn with_limit((schemas, paths, methods): UtoipaMethodRouter<App>, limit: usize) -> UtoipaMethodRouter<App> {
    (schemas, paths, methods.layer(DefaultBodyLimit::max(limit)))
}

async fn change_events(
    State(app): State<App>,
    headers: HeaderMap,
    Extension(place): Extension<LiveConnection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map(|upgrade| upgrade.protocols([EVENTS_PROTOCOL]));
    let credential = Credential::of_websocket(&headers);
    let standing = Standing::new(&app.store, &app.authenticator, credential, Right::Known);
    let readiness = app.service.readiness.clone();
    let end = async move {
        // For as long as the connection is there.
        let _place = place;
        tokio::select! {
            () = readiness.stopping() => change_events::End::Stopping,
            () = standing.lost() => change_events::End::NotAllowed,
        }
    };
    change_events::serve(upgrade, app.store.changes(), end).await
}

/// Every route, with what it asks of its caller.
pub fn route_list(app: &App) -> Vec<Route> {
    routes(app).into_list()
}

fn routes(app: &App) -> Routes {
    use Access::{Follow, Listen, Open};

    let routes = api(app);
    let document = Document::new(routes.document(), app.config.external_lifecycle_url.as_str());
    let places = || app.live_connections.clone();
    let admit = from_fn_with_state(places(), live_connections::admit);
    let admit_session = from_fn_with_state(places(), live_connections::admit_session);
    routes
        .add_beside(Open, "/docs", get(document::page))
        .add_beside(Open, "/health", get(own_health::health))
        .add_beside(Open, "/live", get(health::live))
        .add_beside(Open, "/metrics", get(metrics_endpoint::metrics))
        .add_beside(Open, "/openapi.json", get(move |path| document.clone().get(path)))
        .add_beside(Open, "/ready", get(own_health::ready))
        .add_beside(Listen, "/websocket/events", get(change_events).route_layer(admit))
        .add_service(Follow, &LogStreaming::PATHS, app.logs.routes().route_layer(admit_session))
        .add_calls("/pub/job/{name}/{version}", any(proxy::call))
        .add_calls("/pub/job/{name}/{version}/", any(proxy::call))
        .add_calls("/pub/job/{name}/{version}/{*path}", any(proxy::call))
}

fn api(app: &App) -> Routes {
    use Access::{
        Anywhere, Authenticated, Build, Call, Everywhere, Filtered, FilteredForUsers, Handler, Internal, Job,
        Manifest, Open, Staff, StaffWith, User,
    };
    use Scope::{CallAdminApi, DeleteJob, DeployJob, ReadJob};

    Routes::new(app, "Racetrack", app.service.identity.version)
        .add(Open, routes!(info::info))
        .add(Authenticated, routes!(maintenance::get_maintenance))
        .add(Everywhere(CallAdminApi), routes!(maintenance::put_maintenance))
        .add_changing(Manifest, routes!(deployment::deploy))
        .add(Filtered(ReadJob), routes!(deployment::list))
        .add(Filtered(ReadJob), routes!(deployment::get))
        .add(Internal, routes!(deployment::put_phase))
        .add(Internal, routes!(deployment::put_warnings))
        .add(Anywhere(DeployJob), routes!(deployment::build))
        .add(Anywhere(ReadJob), routes!(jobs::list))
        .add(Anywhere(ReadJob), routes!(jobs::families))
        .add(Anywhere(ReadJob), routes!(jobs::graph))
        .add(Anywhere(ReadJob), routes!(jobs::portfolio))
        .add_changing(Everywhere(CallAdminApi), routes!(jobs::reconcile))
        .add(Job(ReadJob), routes!(job::get))
        .add_changing(Job(DeleteJob), routes!(job::delete))
        .add_changing(Job(DeployJob), routes!(job::redeploy))
        .add_changing(Job(DeployJob), routes!(job::reprovision))
        .add_changing(Job(DeployJob), routes!(job::move_job))
        .add_changing(Job(DeployJob), routes!(job::put_manifest))
        .add(Job(ReadJob), routes!(job::public_endpoints))
        .add(Everywhere(CallAdminApi), routes!(job::put_public_endpoint))
        .add(Job(ReadJob), routes!(job_logs::of_job))
        .add(Job(ReadJob), routes!(job_logs::of_job_plain))
        .add(Build(ReadJob), routes!(job_logs::of_build))
        .add(Build(ReadJob), routes!(job_logs::of_build_plain))
        .add(Authenticated, routes!(plugin::list))
        .add(Authenticated, routes!(plugin::job_type_versions))
        .add(Authenticated, routes!(plugin::infrastructure_targets))
        .add(Authenticated, routes!(plugin::tree))
        .add(Authenticated, routes!(plugin::docs))
        .add(Authenticated, routes!(plugin::download))
        .add(StaffWith(ReadJob), routes!(plugin::run))
        .add(Staff, routes!(plugin_config::get_config))
        .add(Staff, routes!(plugin_config::put_config))
        .add(Staff, routes!(plugin::upload))
        .add(Staff, routes!(plugin::upload_file))
        .add(Staff, routes!(plugin::delete_all))
        .add(Staff, routes!(plugin::delete))
        .add(Call, routes!(authorization::can_call_job))
        .add(Call, routes!(authorization::can_call_front_page))
        .add(Handler, routes!(authorization::allowed_job))
        .add(Handler, routes!(authorization::allowed_endpoint))
        .add(Everywhere(CallAdminApi), routes!(authorization::allow_esc))
        .add(Everywhere(CallAdminApi), routes!(authorization::allow_job_family))
        .add(Everywhere(CallAdminApi), routes!(token::token_of_esc))
        .add(User, routes!(token::regenerate_own))
        .add(Everywhere(CallAdminApi), routes!(token::regenerate_users))
        .add(Everywhere(CallAdminApi), routes!(token::regenerate_job_families))
        .add(Everywhere(CallAdminApi), routes!(token::regenerate_escs))
        .add(Open, with_limit(routes!(user::login), MAX_CREDENTIALS_SIZE))
        .add(User, routes!(user::validate_user_auth))
        .add(Open, routes!(user::logout))
        .add(Open, with_limit(routes!(user::register), MAX_CREDENTIALS_SIZE))
        .add(User, with_limit(routes!(user::change_password), MAX_CREDENTIALS_SIZE))
        .add(Open, with_limit(routes!(session::create), MAX_CREDENTIALS_SIZE))
        .add(User, routes!(session::end_current))
        .add(User, routes!(session::list_own))
        .add(User, routes!(session::end_own))
        .add(Staff, routes!(session::list_of))
        .add(Staff, routes!(session::end_of_user))
        .add(Staff, routes!(users::list))
        .add(Staff, routes!(users::put))
        .add(Staff, routes!(users::delete))
        .add(Staff, routes!(esc::list))
        .add(Staff, routes!(esc::create))
        .add(Staff, routes!(esc::delete))
        .add(Staff, routes!(esc::auth_data))
        .add(Staff, routes!(esc::create_token))
        .add(Staff, routes!(esc::revoke_token))
        .add(Staff, routes!(permission::list))
        .add(Staff, routes!(permission::grant))
        .add(Staff, routes!(permission::revoke))
        .add(FilteredForUsers(ReadJob), routes!(audit::activity))
        .add(FilteredForUsers(ReadJob), routes!(audit::own_events))
        .add(FilteredForUsers(ReadJob), routes!(audit::own_events_of_family))
        .add(FilteredForUsers(ReadJob), routes!(audit::own_events_of_job))
        .add(Filtered(ReadJob), routes!(audit::events))
        .add(Filtered(ReadJob), routes!(audit::events_of_family))
        .add(Filtered(ReadJob), routes!(audit::events_of_job))
}
