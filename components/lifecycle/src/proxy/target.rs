//! Where a call goes: the URL at the job, or at the gateway in front of it.

use std::borrow::Cow;

use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, Uri, uri};

use super::failure::ForwardError;
use super::upstream::{Gateway, Upstream};

const GATEWAY_TOKEN: HeaderName = HeaderName::from_static("x-racetrack-gateway-token");
const INTERNAL_NAME: HeaderName = HeaderName::from_static("x-racetrack-job-internal-name");

/// The headers that only a gateway is told, by lifecycle alone.
pub(super) const GATEWAY_HEADERS: [HeaderName; 2] = [GATEWAY_TOKEN, INTERNAL_NAME];

/// The target of a call, the same for each replica.
#[derive(Debug)]
pub(super) struct Target<'a> {
    /// Path and query.
    pub(super) uri: Uri,
    gateway: Option<GatewayTarget<'a>>,
}

#[derive(Debug)]
struct GatewayTarget<'a> {
    address: Cow<'a, str>,
    token: Option<HeaderValue>,
}

impl<'a> Target<'a> {
    /// The target of a call with this query.
    pub(super) fn new(upstream: &Upstream<'a>, query: Option<&str>) -> Result<Self, ForwardError> {
        let Upstream { job_name, job_version, path, .. } = *upstream;
        if climbs(path) {
            return Err(ForwardError::Climbing);
        }
        let (base, service, gateway) = match upstream.gateway {
            None => ("", "/pub/job/", None),
            Some(gateway) => {
                let (base, gateway) = GatewayTarget::new(gateway)?;
                (base, "/remote/forward/", Some(gateway))
            }
        };
        let separator = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
        let (question_mark, query) = query.map_or(("", ""), |query| ("?", query));
        let pieces = [base, service, job_name, "/", job_version, separator, path, question_mark, query];
        let mut uri = uri::Parts::default();
        uri.path_and_query =
            Some(PathAndQuery::from_maybe_shared(pieces.concat()).map_err(ForwardError::Path)?);
        let uri = Uri::from_parts(uri).expect("a path alone makes a URI");
        Ok(Self { uri, gateway })
    }

    /// What to connect to instead of the replica.
    pub(super) fn gateway_address(&self) -> Option<&str> {
        self.gateway.as_ref().map(|gateway| &*gateway.address)
    }

    /// Tells the gateway which replica is meant.
    pub(super) fn address(&self, request: &mut Request, replica: &str) -> Result<(), ForwardError> {
        let Some(gateway) = &self.gateway else { return Ok(()) };
        let replica =
            HeaderValue::from_str(replica).map_err(|_| ForwardError::Address(replica.to_owned()))?;
        request.headers_mut().insert(INTERNAL_NAME, replica);
        if let Some(token) = &gateway.token {
            request.headers_mut().insert(GATEWAY_TOKEN, token.clone());
        }
        Ok(())
    }
}

impl<'a> GatewayTarget<'a> {
    /// The path under which the gateway answers, and the gateway.
    fn new(gateway: Gateway<'a>) -> Result<(&'a str, Self), ForwardError> {
        let rest = gateway.url.strip_prefix("http://").ok_or(ForwardError::GatewayScheme)?;
        let (authority, base) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let address = if has_port { Cow::Borrowed(authority) } else { Cow::Owned(format!("{authority}:80")) };
        let token = gateway.token.map(HeaderValue::from_str).transpose();
        let mut token = token.map_err(|_| ForwardError::GatewayToken)?;
        if let Some(token) = &mut token {
            token.set_sensitive(true);
        }
        Ok((base.trim_end_matches('/'), Self { address, token }))
    }
}

/// Whether a segment of the path is `..`, in whatever spelling. Such a path may name something else to the job, or to the
/// gateway, than it did to whoever allowed the call.
fn climbs(path: &str) -> bool {
    let may_climb = path.as_bytes().windows(2).any(|pair| matches!(pair, b".." | b"%2"));
    if !may_climb {
        return false;
    }
    let path = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    path.split(['/', '\\', '?', '#']).any(|segment| segment.split(';').next() == Some(".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &str, query: Option<&str>, gateway: Option<&str>) -> String {
        let replicas = ["127.0.0.1:7000".to_owned()];
        let gateway = gateway.map(|url| Gateway { url, token: Some("secret") });
        let upstream = Upstream {
            job_name: "adder",
            job_version: "0.0.1",
            replicas: &replicas,
            status: "running",
            path,
            caller: "User admin",
            gateway,
        };
        let described =
            |target: Target<'_>| format!("{} {}", target.gateway_address().unwrap_or("-"), target.uri);
        Target::new(&upstream, query).map_or_else(|error| error.to_string(), described)
    }

    #[test]
    fn path_and_query_are_kept_byte_for_byte() {
        let targets = [
            ("", None, "- /pub/job/adder/0.0.1"),
            ("/", Some(""), "- /pub/job/adder/0.0.1/?"),
            ("/a%20b//c%2Fd", Some("x=%7e&y=[1]?"), "- /pub/job/adder/0.0.1/a%20b//c%2Fd?x=%7e&y=[1]?"),
            ("api", None, "- /pub/job/adder/0.0.1/api"),
        ];
        for (path, query, expected) in targets {
            assert_eq!(target(path, query, None), expected);
        }
    }

    #[test]
    fn no_path_climbs_out_of_the_job() {
        let climbing =
            ["/..", "/a/../b", "/%2e%2E/x", "/.%2e", "/a%2f..%2Fb", "/a\\..", "/..%5cb", "/..;x/b", ".."];
        for path in climbing {
            assert_eq!(target(path, None, None), "`..` in a path is not forwarded", "{path}");
        }
        for path in ["/...", "/..a", "/a..", "/1..2", "/.", "/%252e%252e/"] {
            assert_eq!(target(path, None, None), format!("- /pub/job/adder/0.0.1{path}"));
        }
    }

    #[test]
    fn a_gateway_is_called_under_its_own_path() {
        let gateways = [
            ("http://gateway:7005/pub", "gateway:7005 /pub/remote/forward/adder/0.0.1/live?a"),
            ("http://gateway/", "gateway:80 /remote/forward/adder/0.0.1/live?a"),
            ("http://[::1]", "[::1]:80 /remote/forward/adder/0.0.1/live?a"),
            ("http://[::1]:7005", "[::1]:7005 /remote/forward/adder/0.0.1/live?a"),
            ("https://gateway", "the URL of the gateway does not start with `http://`"),
        ];
        for (url, expected) in gateways {
            assert_eq!(target("/live", Some("a"), Some(url)), expected);
        }
    }

    #[test]
    fn the_token_of_a_gateway_is_not_shown() {
        let gateway = Gateway { url: "http://gateway", token: Some("hunter2") };
        assert!(!format!("{gateway:?}").contains("hunter2"));
        let (_, target) = GatewayTarget::new(gateway).expect("is a gateway");
        assert!(!format!("{target:?}").contains("hunter2"));
    }
}
