//! The `OpenAPI` document, and a page to browse it.

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse};
use utoipa::openapi::OpenApi;

/// The page. It loads nothing but the document, from this server: it works without any other network.
const PAGE: &str = include_str!("document.html");

/// The document as JSON, made once.
#[derive(Clone, Debug)]
pub(crate) struct Document(Bytes);

impl Document {
    /// # Panics
    /// When the document is no JSON, which it is made of.
    pub(crate) fn new(document: &OpenApi) -> Self {
        Self(serde_json::to_vec(document).expect("the document is JSON").into())
    }

    /// `GET /openapi.json`.
    pub(crate) async fn get(self) -> impl IntoResponse {
        ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], self.0)
    }
}

/// `GET /docs`: browses the document.
pub(crate) async fn page() -> impl IntoResponse {
    let policy =
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'";
    ([(CONTENT_SECURITY_POLICY, policy)], Html(PAGE))
}
