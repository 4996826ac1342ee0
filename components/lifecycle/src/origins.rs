//! Lets pages of other origins use the API, as dashboards do: with a token in a header.
//!
//! Cookies of this origin are not for them, so nothing here allows credentials. Calls of jobs are not touched: what pages
//! may do there is the job's to say.

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_METHOD,
};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const ANY: HeaderValue = HeaderValue::from_static("*");

/// Answers what browsers ask before they send a request of another origin, and says that its answer may be read.
pub(crate) async fn allow(request: Request, next: Next) -> Response {
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
