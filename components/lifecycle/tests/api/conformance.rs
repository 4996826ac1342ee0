//! Holds every answer of these tests to the `OpenAPI` document.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use serde_json::Value;
use tokio::sync::OnceCell;
use tower::ServiceExt;

use crate::harness::Answer;

/// The document, which is the same for every server of these tests.
static DOCUMENT: OnceCell<Value> = OnceCell::const_new();

/// Checks that the document has the status of an answer of the API, and that errors have their shape. What no operation is for is
/// left alone.
pub(crate) async fn check(router: &Router, method: &Method, path: &str, answer: &Answer) {
    let path = path.strip_prefix("/lifecycle").unwrap_or(path);
    let Some(path) = path.strip_prefix("/api/v1") else { return };
    let document = DOCUMENT.get_or_init(|| read(router)).await;
    let paths = document["paths"].as_object().expect("are there");
    let fitting = paths.keys().filter(|template| fits(template, path));
    let Some(template) = fitting.min_by_key(|template| template.matches('{').count()) else { return };
    let operation = &paths[template][method.as_str().to_lowercase()];
    if operation.is_null() {
        return;
    }
    let status = answer.status.to_string();
    let response = &operation["responses"][&status];
    assert!(
        !response.is_null(),
        "{method} {template} answers {status}, and its document does not say so: {answer:?}"
    );
    if answer.status >= 400 {
        let error = answer.json();
        let is_error = error["error"].is_string() && error["type"].is_string();
        assert!(
            is_error && error.as_object().map(serde_json::Map::len) == Some(2),
            "{method} {template}: {error}"
        );
    }
}

async fn read(router: &Router) -> Value {
    let request = Request::get("/openapi.json").body(Body::empty()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("answers");
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    serde_json::from_slice(&body).expect("is JSON")
}

/// Whether a path is one that a template means; its parameter `path` stands for everything that follows.
fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (Some("{path}"), Some(rest)) => return !rest.is_empty(),
            (Some(part), Some(text)) if part == text || (part.starts_with('{') && !text.is_empty()) => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}
