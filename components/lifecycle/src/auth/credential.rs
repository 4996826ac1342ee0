//! What a request shows to be known, kept for as long as a connection that outlives the request.

use std::fmt;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use racetrack_service::ApiError;
use serde_json::Value;

use super::request_token::{token_in_cookie, token_in_header};

/// How a subprotocol begins that is a token.
const TOKEN_PROTOCOL: &str = "racetrack.token.";

/// A token, or none. Its `Debug` form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credential(Option<Arc<str>>);

impl Credential {
    /// Nothing is shown.
    pub(crate) const NONE: Self = Self(None);

    /// A token that is shown in another place than the headers.
    pub(crate) fn of_token(token: &str) -> Self {
        Self(Some(token.into()))
    }

    /// What a request to the API shows.
    pub(crate) fn of_request(headers: &HeaderMap) -> Self {
        Self(token_in_header(headers).map(Arc::from))
    }

    /// What the call of a job shows.
    pub(crate) fn of_call(headers: &HeaderMap) -> Self {
        Self(token_in_header(headers).map(Arc::from).or_else(|| token_in_cookie(headers).map(Arc::from)))
    }

    /// What a client shows in the headers of the request that opens a connection, or else as `{"token": "…"}` on it.
    ///
    /// # Errors
    /// 400 when what is on the connection is something else.
    pub(crate) fn of_connection(headers: &HeaderMap, auth: &Value) -> Result<Self, ApiError> {
        let in_headers = Self::of_request(headers);
        let token = auth.get("token").unwrap_or(&Value::Null);
        match (auth, token) {
            _ if in_headers.0.is_some() => Ok(in_headers),
            (Value::Null | Value::Object(_), Value::Null) => Ok(Self::NONE),
            (_, Value::String(token)) => Ok(Self::of_token(token)),
            _ => Err(ApiError::invalid("a client connects with nothing, or with {\"token\": \"…\"}")),
        }
    }

    /// What the request for a WebSocket shows: browsers let pages set no headers, but name subprotocols, of which one may be
    /// `racetrack.token.` with the token behind it.
    pub(crate) fn of_websocket(headers: &HeaderMap) -> Self {
        let protocols = headers.get_all(SEC_WEBSOCKET_PROTOCOL).into_iter();
        let mut protocols =
            protocols.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let in_protocol = || protocols.find_map(|protocol| protocol.trim().strip_prefix(TOKEN_PROTOCOL));
        Self(token_in_header(headers).or_else(in_protocol).map(Arc::from))
    }

    /// The token.
    pub(crate) fn token(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Credential(…)" } else { "Credential(none)" })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_connection_shows_a_token_in_a_header_or_on_itself() {
        let shown = |headers: &HeaderMap, auth: Value| {
            let shown = Credential::of_connection(headers, &auth);
            shown.map(|shown| shown.token().map(str::to_owned)).map_err(|error| error.to_string())
        };
        let none = HeaderMap::new();
        assert_eq!(shown(&none, Value::Null), Ok(None));
        assert_eq!(shown(&none, json!({})), Ok(None));
        assert_eq!(shown(&none, json!({ "token": null })), Ok(None));
        assert_eq!(shown(&none, json!({ "token": "a.b.c" })), Ok(Some("a.b.c".to_owned())));
        for odd in [json!(7), json!("a.b.c"), json!([]), json!({ "token": 7 })] {
            assert!(shown(&none, odd.clone()).is_err(), "{odd}");
        }
        let header = [("x-racetrack-auth".parse().expect("a name"), "d.e.f".parse().expect("a value"))];
        let headers = header.into_iter().collect();
        assert_eq!(shown(&headers, json!({ "token": "a.b.c" })), Ok(Some("d.e.f".to_owned())));
    }

    #[test]
    fn a_websocket_shows_a_token_as_a_subprotocol() {
        let shown = |protocols: &str| {
            let header = [(SEC_WEBSOCKET_PROTOCOL, protocols.parse().expect("a value"))];
            Credential::of_websocket(&header.into_iter().collect()).token().map(str::to_owned)
        };
        assert_eq!(shown("racetrack.events, racetrack.token.a.b.c").as_deref(), Some("a.b.c"));
        assert_eq!(shown("racetrack.events"), None);
    }

    #[test]
    fn a_cookie_counts_for_calls_alone_and_no_token_is_shown() {
        let headers: HeaderMap = [("cookie", "X-Racetrack-Auth=a.b.c")]
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .into_iter()
            .collect();
        assert_eq!(Credential::of_request(&headers), Credential::NONE);
        assert_eq!(Credential::of_call(&headers), Credential::of_token("a.b.c"));
        assert!(!format!("{:?}", Credential::of_call(&headers)).contains("a.b.c"));
    }
}
