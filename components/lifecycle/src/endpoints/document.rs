//! The `OpenAPI` document, and a page to browse it.

use axum::body::Bytes;
use axum::extract::MatchedPath;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse};
use utoipa::openapi::{OpenApi, Server};

use crate::routes::API;

/// The page. It loads nothing but the document, from this server: it works without any other network.
const PAGE: &str = include_str!("document.html");

/// Where everything but calls of jobs is once more.
const BELOW: &str = "/lifecycle";

/// The document as JSON, made once for each place where it is read.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    at_root: Bytes,
    below_lifecycle: Bytes,
}

impl Document {
    /// The document for users who reach lifecycle at this address.
    ///
    /// # Panics
    /// When the document is no JSON, which it is made of.
    pub(crate) fn new(document: &OpenApi, external_url: &str) -> Self {
        let of = |place: &str| {
            let mut here = Server::new(format!("{place}{API}"));
            here.description = Some("the server that this document is read from".to_owned());
            let mut external = Server::new(format!("{}{API}", external_url.trim_end_matches('/')));
            external.description =
                Some("where users reach it, as the setting external-lifecycle-url says".to_owned());
            let mut document = document.clone();
            document.servers = Some(vec![here, external]);
            serde_json::to_vec(&document).expect("the document is JSON").into()
        };
        Self { at_root: of(""), below_lifecycle: of(BELOW) }
    }

    /// `GET /openapi.json`.
    pub(crate) async fn get(self, path: MatchedPath) -> impl IntoResponse {
        let is_below = path.as_str().starts_with(BELOW);
        let document = if is_below { self.below_lifecycle } else { self.at_root };
        ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], document)
    }
}

/// `GET /docs`: browses the document.
pub(crate) async fn page() -> impl IntoResponse {
    let policy =
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'";
    ([(CONTENT_SECURITY_POLICY, policy)], Html(PAGE))
}
