//! Pages of other origins, which browsers show to those who may do something here.
//!
//! Where callers show a token in a header, such a page may use the API like anybody else, as dashboards do; cookies are not
//! for it, so nothing here allows credentials. Where nobody is asked who they are, it must do nothing at all: it would
//! act by the mere fact that its reader's machine can reach lifecycle. Calls of jobs are not touched otherwise: what
//! pages may do there is the job's to say.
//!
//! What lifecycle tells of its own accord is for programs and for pages of its own, in any case: browsers let every page
//! open a WebSocket, and a follower of logs may have shown its token elsewhere.

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
    let path = request.uri().path();
    if path.starts_with("/pub/") {
        return next.run(request).await;
    }
    if is_realtime(path) {
        let own = app.config.external_lifecycle_url.as_str();
        return if is_of_own_page(request.headers(), own) {
            next.run(request).await
        } else {
            let message =
                "live logs and events are for programs, and for pages of this server at its own address";
            ApiError::unauthorized(message).into_response()
        };
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

/// Whether the path is one of what lifecycle tells of its own accord.
fn is_realtime(path: &str) -> bool {
    let path = path.strip_prefix("/lifecycle").unwrap_or(path);
    ["/socket.io", "/websocket"]
        .iter()
        .any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Whether a request is one of a program, or of a page under the address at which users reach lifecycle, or under one of
/// this machine or by number: a name may be one that somebody else made lead here.
fn is_of_own_page(headers: &HeaderMap, external_url: &str) -> bool {
    let text = |name: HeaderName| only_text(headers, &name);
    let host = text(HOST);
    let is_own_origin = |origin: &str| {
        let Some((scheme, authority)) = origin.split_once("://") else { return false };
        let is_external = external_url.strip_prefix(scheme).and_then(|rest| rest.strip_prefix("://"));
        let is_external = is_external.is_some_and(|rest| rest.split('/').next() == Some(authority));
        let is_numbered = authority.parse().is_ok_and(|host: Authority| is_unmistakable(host.host()));
        is_external || (is_numbered && Some(authority) == host)
    };
    let is_own_site = text(FETCH_SITE).is_none_or(|site| matches!(site, "same-origin" | "none"));
    text(ORIGIN).is_none_or(is_own_origin) && is_own_site
}

/// The text of a header. One that comes twice, as no browser sends it, or is no text is none that anybody expects.
fn only_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).into_iter();
    let first = values.next()?;
    let is_only = values.next().is_none();
    Some(first.to_str().ok().filter(|_| is_only).unwrap_or("?"))
}

/// Whether the host is an address, or the name that every machine has for itself.
fn is_unmistakable(host: &str) -> bool {
    host == "localhost" || host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

/// Whether a request is one of a program, or of a page that this server showed under an address of this machine. A name
/// that somebody else made lead to this machine is none.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| only_text(headers, &name);
    let host = text(HOST).map(OwnHost::parse);
    let is_known_host = host.is_none_or(|host| host.is_some());
    let is_own_page = text(ORIGIN).is_none_or(|origin| {
        let own = origin.split_once("://").filter(|(scheme, _)| scheme.eq_ignore_ascii_case("http"));
        own.and_then(|(_, own)| OwnHost::parse(own)).is_some_and(|own| Some(Some(own)) == host)
    });
    let is_own_site = text(FETCH_SITE).is_none_or(|site| matches!(site, "same-origin" | "none"));
    is_known_host && is_own_page && is_own_site
}

/// This machine with a port, however that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OwnHost {
    /// Nothing for the name `localhost`.
    address: Option<IpAddr>,
    port: u16,
}

impl OwnHost {
    fn parse(text: &str) -> Option<Self> {
        /// What clients leave out.
        const DEFAULT_PORT: u16 = 80;
        if text.contains('@') {
            return None;
        }
        let authority: Authority = text.parse().ok()?;
        let port = match text.strip_prefix(authority.host())?.strip_prefix(':') {
            None | Some("") => DEFAULT_PORT,
            Some(port) => port.parse().ok()?,
        };
        let host = authority.host();
        let name = host.strip_suffix('.').unwrap_or(host);
        if name.eq_ignore_ascii_case("localhost") {
            return Some(Self { address: None, port });
        }
        let address: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
        let address = address.to_canonical();
        address.is_loopback().then_some(Self { address: Some(address), port })
    }
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
            &[("host", "LOCALHOST:7202")],
            &[("host", "localhost.")],
            &[("host", "LocalHost.:7202"), ("origin", "HTTP://localhost:7202")],
            &[("host", "localhost"), ("origin", "http://localhost:80")],
            &[("host", "127.0.0.1:80"), ("origin", "http://127.0.0.1")],
            &[("host", "127.0.0.2:7202"), ("origin", "http://127.0.0.2:7202")],
            &[("host", "[::1]")],
            &[("host", "[0:0:0:0:0:0:0:1]:7202"), ("origin", "http://[::1]:7202")],
            &[("host", "[::ffff:127.0.0.1]:7202")],
            &[("host", "localhost:")],
        ] {
            assert!(is_taken(pairs), "{pairs:?}");
        }
    }

    #[test]
    fn what_is_told_unasked_is_for_programs_and_own_pages() {
        let is_taken = |pairs: &[(&'static str, &'static str)]| {
            let header = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            is_of_own_page(&pairs.iter().map(header).collect(), "https://racetrack.example/lifecycle")
        };
        for pairs in [
            &[][..],
            &[("host", "racetrack.lan:7202")],
            &[("host", "10.0.0.2:7202"), ("origin", "http://10.0.0.2:7202")],
            &[("host", "[::1]:7202"), ("origin", "http://[::1]:7202"), ("sec-fetch-site", "same-origin")],
            &[("host", "lifecycle:7202"), ("origin", "https://racetrack.example")],
        ] {
            assert!(is_taken(pairs), "{pairs:?}");
        }
        for pairs in [
            &[("host", "10.0.0.2:7202"), ("origin", "https://evil.example")][..],
            &[("host", "10.0.0.2:7202"), ("origin", "null")],
            &[("host", "10.0.0.2:7202"), ("origin", "")],
            &[("host", "10.0.0.2:7202"), ("origin", "http://10.0.0.2:8000")],
            &[("host", "rebound.example:7202"), ("origin", "http://rebound.example:7202")],
            &[("host", "racetrack.example"), ("origin", "http://racetrack.example")],
            &[("host", "racetrack.example"), ("origin", "https://racetrack.example.evil.example")],
            &[("host", "10.0.0.2:7202"), ("sec-fetch-site", "cross-site")],
        ] {
            assert!(!is_taken(pairs), "{pairs:?}");
        }
    }

    #[test]
    fn paths_of_what_is_told_unasked_are_known() {
        for path in ["/socket.io", "/socket.io/", "/lifecycle/socket.io/", "/lifecycle/websocket/events"] {
            assert!(is_realtime(path), "{path}");
        }
        for path in ["/", "/api/v1/job", "/socket.io-admin", "/pub/job/adder/1.0.0/socket.io"] {
            assert!(!is_realtime(path), "{path}");
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
            &[("host", "localhost..")],
            &[("host", ".localhost")],
            &[("host", "localhost.example.com")],
            &[("host", "example.localhost.com")],
            &[("host", "me@localhost")],
            &[("host", "localhost:70000")],
            &[("host", "localhost:7202:80")],
            &[("host", "128.0.0.1")],
            &[("host", "[::2]")],
            &[("host", "localhost:7202"), ("origin", "http://localhost")],
            &[("host", "localhost:7202"), ("origin", "http://127.0.0.1:7202")],
            &[("host", "localhost"), ("origin", "https://localhost")],
            &[("host", "localhost"), ("origin", "http://localhost/")],
            &[("host", "localhost"), ("origin", "localhost")],
            &[("host", "localhost"), ("origin", "")],
        ] {
            assert!(!is_taken(pairs), "{pairs:?}");
        }
    }
}
