//! Calls of jobs: `/pub/job/{name}/{version}/…`, with every method.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{RETRY_AFTER, UPGRADE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use racetrack_core::JobStatus;
use racetrack_service::extract::Path;
use racetrack_service::peer::PeerKey;
use racetrack_service::{ApiError, http};
use racetrack_store::JobRecord;
use serde::{Deserialize, Serialize};

use crate::App;
use crate::auth::{AllowedCall, Credential, Right, Standing, may_call};
use crate::call_places::{CallPlace, CallerKey};
use crate::proxy::{Gateway, Upstream, WatchRight};

/// How many segments of the path stand before what is the job's own: `/pub/job/{name}/{version}`.
const OWN_SEGMENTS: usize = 4;

/// What the path of a call names.
#[derive(Debug, Deserialize)]
pub(crate) struct JobAddress {
    name: String,
    version: String,
}

/// How a call is answered that does not reach a job.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    error: String,
    request_id: Option<String>,
}

/// Hands a call to the job, if the caller may make it.
pub(crate) async fn call(
    State(app): State<App>,
    address: Result<Path<JobAddress>, ApiError>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let uri = parts.uri.clone();
    let path = path_of_job(uri.path());
    let allowed = async {
        let Path(JobAddress { name, version }) = address?;
        let call = may_call(&app.store, &app.authenticator, &parts.headers, (&name, &version), path);
        call.await.map_err(ApiError::from)
    };
    let AllowedCall { record, caller, is_known, .. } = match allowed.await {
        Ok(allowed) => allowed,
        Err(error) => return refuse(error, &parts.headers),
    };
    let place = match place(&app, &parts, &caller, is_known) {
        Ok(place) => place,
        Err(error) => return refuse(error, &parts.headers),
    };
    let job = &record.job;
    let replicas = match (&job.internal_name, job.replica_internal_names.as_slice()) {
        (Some(only), []) => std::slice::from_ref(only),
        (_, replicas) => replicas,
    };
    let offers = app.offers();
    let target = offers.targets.get(job.infrastructure_target.as_deref().unwrap_or_default());
    let gateway = target.and_then(|offer| {
        let url = offer.item.remote_gateway_url.as_deref()?;
        Some(Gateway { url, token: offer.item.remote_gateway_token.as_deref() })
    });
    let upstream = Upstream {
        job_name: &job.name,
        job_version: &job.version,
        replicas,
        status: status_text(job.status),
        path,
        caller: &caller,
        gateway,
    };
    let watch_right = watch_right(&app, &parts, &record, is_known, place.clone());
    let answer = app.proxy.forward(upstream, Request::from_parts(parts, body), watch_right).await;
    answer.map(|body| place.hold_for(body))
}

/// The place of a call. Where nobody is asked who they are, callers are not told apart.
fn place(app: &App, call: &Parts, caller: &str, is_known: bool) -> Result<CallPlace, ApiError> {
    let key = if is_known && app.config.auth_required {
        CallerKey::Known(caller.to_owned())
    } else {
        CallerKey::Peer(PeerKey::of(&call.extensions))
    };
    app.call_places.enter(key, call.headers.contains_key(UPGRADE))
}

/// Watches, when it comes to that, whether whoever sent a call may still make it.
fn watch_right(
    app: &App,
    call: &Parts,
    record: &Arc<JobRecord>,
    is_known: bool,
    place: CallPlace,
) -> WatchRight {
    let (app, record, uri) = (app.clone(), Arc::clone(record), call.uri.clone());
    let credential = Credential::of_call(&call.headers);
    Box::new(move || {
        let (name, version) = (record.job.name.clone(), record.job.version.clone());
        let path = path_of_job(uri.path()).to_owned();
        let right = Right::Call { name, version, path, is_known };
        let standing = Standing::new(&app.store, &app.authenticator, credential, right);
        Box::pin(async move {
            // A tunnel outlives its answer, and has its place for as long as it is watched.
            let _place = place;
            standing.lost().await;
        })
    })
}

/// What follows `/pub/job/{name}/{version}`, as it was sent.
fn path_of_job(path: &str) -> &str {
    let slashes = path.match_indices('/').map(|(at, _)| at);
    slashes.into_iter().nth(OWN_SEGMENTS).map_or("", |at| &path[at..])
}

fn refuse(error: ApiError, headers: &HeaderMap) -> Response {
    let message = format!("Proxy request error: {error}");
    let id = headers.get(http::REQUEST_ID).and_then(|id| id.to_str().ok());
    let refusal = Refusal { error: message, request_id: id.map(str::to_owned) };
    // Takes over the status, and what the log is told.
    let (mut parts, _) = error.into_response().into_parts();
    let (other, body) = Json(refusal).into_response().into_parts();
    let again = parts.headers.remove(RETRY_AFTER);
    parts.headers = other.headers;
    if let Some(again) = again {
        parts.headers.insert(RETRY_AFTER, again);
    }
    Response::from_parts(parts, body)
}

const fn status_text(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Starting => "starting",
        JobStatus::Running => "running",
        JobStatus::Error => "error",
        JobStatus::Orphaned => "orphaned",
        JobStatus::Lost => "lost",
    }
}

#[cfg(test)]
mod tests {
    use super::path_of_job;

    #[test]
    fn the_path_of_the_job_is_what_follows_its_address() {
        for (path, expected) in [
            ("/pub/job/adder/latest", ""),
            ("/pub/job/adder/latest/", "/"),
            ("/pub/job/adder/latest/api/v1/perform", "/api/v1/perform"),
            ("/pub/job/adder/1.x/a%2Fb//c", "/a%2Fb//c"),
        ] {
            assert_eq!(path_of_job(path), expected);
        }
    }
}
