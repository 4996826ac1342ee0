//! Pages of other origins, which browsers show to those who may do something here.
//!
//! Where callers show a token in a header, such a page may use the API like anybody else, as dashboards do; cookies are not
//! for it, so nothing here allows credentials. Where nobody is asked who they are, it must do nothing at all: it would
//! act by the mere fact that its reader's machine can reach lifecycle. Calls of jobs are not touched otherwise: what
//! pages may do there is the job's to say.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use racetrack_service::ApiError;

use crate::App;

const ANY: HeaderValue = HeaderValue::from_static("*");

/// What browsers say of where a request comes from.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Answers what browsers ask before they send a request of another origin, and says that its answer may be read; or
/// refuses it, where nobody is asked who they are.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    if !app.authenticator.is_required() {
        return if is_from_here(request.headers()) {
            next.run(request).await
        } else {
            let message = "this server asks nobody who they are (auth-required: false), so it is for programs and pages of \
                           its own machine alone";
            ApiError::unauthorized(message).into_response()
        };
    }
    if request.uri().path().starts_with("/pub/") {
        return next.run(request).await;
    }
    let is_question =
        request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if is_question {
        let headers =
            [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_HEADERS];
        return headers.map(|header| (header, ANY)).into_response();
    }
    let mut response = next.run(request).await;
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    response
}

/// Whether a request is one of a program, or of a page that this server showed under an address of this machine. A name
/// that somebody else made lead to this machine is none.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(HOST);
    let is_known_host =
        host.is_none_or(|host| host.parse().is_ok_and(|host: Authority| is_this_machine(host.host())));
    let is_own_page =
        text(ORIGIN).is_none_or(|origin| origin.strip_prefix("http://").is_some_and(|own| Some(own) == host));
    let is_own_site = text(FETCH_SITE).is_none_or(|site| matches!(site, "same-origin" | "none"));
    is_known_host && is_own_page && is_own_site
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_taken(pairs: &[(&'static str, &'static str)]) -> bool {
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        is_from_here(&pairs.iter().map(header).collect())
    }

    #[test]
    fn programs_and_own_pages_are_from_here() {
        for pairs in [
            &[][..],
            &[("host", "127.0.0.1:7202")],
            &[("host", "localhost:7202"), ("origin", "http://localhost:7202")],
            &[("host", "[::1]:7202"), ("sec-fetch-site", "same-origin")],
            &[("host", "127.0.0.1:7202"), ("sec-fetch-site", "none")],
        ] {
            assert!(is_taken(pairs), "{pairs:?}");
        }
    }

    #[test]
    fn other_pages_and_names_are_not() {
        for pairs in [
            &[("host", "127.0.0.1:7202"), ("origin", "https://example.com")][..],
            &[("host", "127.0.0.1:7202"), ("origin", "null")],
            &[("host", "127.0.0.1:7202"), ("origin", "http://127.0.0.1:8000")],
            &[("host", "127.0.0.1:7202"), ("sec-fetch-site", "cross-site")],
            &[("host", "127.0.0.1:7202"), ("sec-fetch-site", "same-site")],
            &[("host", "rebound.example.com:7202")],
            &[("host", "127.0.0.1.example.com")],
            &[("host", "")],
        ] {
            assert!(!is_taken(pairs), "{pairs:?}");
        }
    }
}
