//! What is around every route: request ids, the access log, counting, and the answers where no handler answers.

use std::any::Any;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use racetrack_core::host::failure::HookFailureCause;
use tracing::Instrument;

use crate::ApiError;
use crate::api_error::PrivateCause;
use crate::metrics;
use crate::observability::OneLine;

/// The header with the id of a request: taken over from the caller or made here, told back, and named in every log line.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over.
const MAX_REQUEST_ID_LENGTH: usize = 128;

/// Completes the routes of a component with everything that all of them share.
pub fn complete(routes: Router) -> Router {
    complete_with(routes, |routes| routes)
}

/// The same, with layers around the routes and around the answers where there is none. What the layers answer themselves has an id
/// and is logged and counted like everything else.
pub fn complete_with(routes: Router, layers: impl FnOnce(Router) -> Router) -> Router {
    let routes = routes.fallback(no_such_route).method_not_allowed_fallback(method_not_allowed);
    layers(routes).layer(middleware::from_fn(observe))
}

async fn no_such_route(request: Request) -> ApiError {
    ApiError::not_found(format!("no such endpoint: {} {}", request.method(), request.uri().path()))
}

async fn method_not_allowed(request: Request) -> ApiError {
    let message = format!("{} does not take {}", request.uri().path(), request.method());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
}

/// Runs one request: gives it its id, catches its panic, logs and counts it. Bodies and query strings are never logged:
/// they may hold secrets.
async fn observe(mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    // For whoever tells it in an answer of another shape, or passes it on.
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let span = tracing::error_span!("request", id = id.to_str().unwrap_or_default());
    let answered = async {
        let started = Instant::now();
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let route = request.extensions().get::<MatchedPath>().cloned();
        let response = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let response = response.unwrap_or_else(|payload| panicked(&*payload));
        let duration = started.elapsed();
        let status = response.status();
        let route = route.as_ref().map_or("(none)", MatchedPath::as_str);
        metrics::request_answered(known_method(&method), route, status.as_u16(), duration);
        log(&method, &path, route, &response, duration);
        response
    };
    let mut response = answered.instrument(span).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

fn log(method: &Method, path: &str, route: &str, response: &Response, duration: Duration) {
    let duration_ms = (duration.as_secs_f64() * 1e6).round() / 1e3;
    let status = response.status().as_u16();
    // Asked for again and again by machines.
    let is_probe = ["/live", "/ready", "/health", "/metrics", "/socket.io/"];
    let is_probe = is_probe.iter().any(|probe| route.ends_with(probe));
    if let Some(PrivateCause(cause)) = response.extensions().get() {
        let cause = OneLine(cause);
        tracing::error!(%method, path, status, duration_ms, "answered an internal error: {cause}");
    } else if is_probe {
        tracing::debug!(%method, path, status, duration_ms, "answered");
    } else {
        tracing::info!(%method, path, status, duration_ms, "answered");
    }
}

fn panicked(payload: &(dyn Any + Send)) -> Response {
    let cause = HookFailureCause::from_panic(payload);
    ApiError::internal(format!("the handler failed: {cause}")).into_response()
}

fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(REQUEST_ID).filter(|id| {
        let is_plain = id.as_bytes().iter().all(u8::is_ascii_graphic);
        is_plain && (1..=MAX_REQUEST_ID_LENGTH).contains(&id.len())
    });
    given.cloned().unwrap_or_else(new_request_id)
}

/// A number unique in this process, behind a random one that tells processes apart.
fn new_request_id() -> HeaderValue {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    static REQUESTS: AtomicU64 = AtomicU64::new(1);
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
    let id = format!("{:016x}-{number}", *PROCESS);
    HeaderValue::from_str(&id).expect("hexadecimal digits make a header value")
}

/// The method by its name, so that invented ones do not add to what is counted.
fn known_method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known.into_iter().find(|name| method == *name).unwrap_or("OTHER")
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io;
    use std::sync::Once;

    use axum::body::{Body, to_bytes};
    use axum::routing::{get, post};
    use serde_json::{Value, json};
    use tower::ServiceExt;

    use super::*;
    use crate::extract::{JsonObject, Path, Query};

    thread_local! {
        /// What this thread has logged: each test has a thread of its own.
        static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    /// What has been logged, as text.
    struct Log;

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            LOGGED.with_borrow_mut(|logged| logged.write(bytes))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        /// One subscriber for all tests. Subscribers that come and go with the tests of other threads make tracing forget
        /// now and then who listens.
        fn start() {
            static SUBSCRIBER: Once = Once::new();
            SUBSCRIBER.call_once(|| {
                let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(|| Self);
                tracing::subscriber::set_global_default(lines.finish()).expect("there is no other");
            });
        }

        fn text() -> String {
            LOGGED.with_borrow(|logged| String::from_utf8(logged.clone()).expect("is text"))
        }
    }

    fn routes() -> Router {
        async fn fail() -> ApiError {
            ApiError::internal("the disk at /var is full")
        }
        async fn panic() -> &'static str {
            panic!("out of\nhandlers")
        }
        async fn number(Path(number): Path<u8>, Query(_): Query<NoParameters>) -> String {
            number.to_string()
        }
        async fn echo(JsonObject(object): JsonObject) -> String {
            Value::Object(object).to_string()
        }
        let routes = Router::new().route("/fail", get(fail)).route("/panic", get(panic));
        complete(routes.route("/number/{number}", get(number)).route("/echo", post(echo)))
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoParameters {}

    async fn answer(request: axum::http::request::Builder, body: &'static str) -> (u16, HeaderMap, String) {
        answer_body(request, Body::from(body)).await
    }

    async fn answer_body(request: axum::http::request::Builder, body: Body) -> (u16, HeaderMap, String) {
        let request = request.body(body).expect("a request");
        let response = routes().oneshot(request).await.expect("answers");
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        (head.status.as_u16(), head.headers, String::from_utf8(body.to_vec()).expect("is text"))
    }

    async fn error(request: axum::http::request::Builder, body: &'static str) -> (u16, Value) {
        let (status, headers, body) = answer(request, body).await;
        assert_eq!(headers["content-type"], "application/json");
        (status, serde_json::from_str(&body).expect("is JSON"))
    }

    #[tokio::test]
    async fn every_refusal_has_one_shape() {
        let refusals = [
            (Request::get("/nope"), "", 404, "EntityNotFound", "no such endpoint: GET /nope"),
            (Request::delete("/fail"), "", 405, "MethodNotAllowed", "/fail does not take DELETE"),
            (Request::get("/number/300"), "", 400, "ValueError", "Invalid URL: Cannot parse `300` to a `u8`"),
            (
                Request::get("/number/3?x=1"),
                "",
                400,
                "ValueError",
                "Failed to deserialize query string: x: unknown field",
            ),
            (Request::post("/echo"), "[1]", 400, "ValueError", "the body is not a JSON object"),
            (
                Request::post("/echo"),
                "{\"a\": }",
                400,
                "ValueError",
                "the body is not JSON: expected value at line 1",
            ),
        ];
        for (request, body, expected_status, class, text) in refusals {
            let (status, envelope) = error(request, body).await;
            assert_eq!((status, envelope["type"].as_str()), (expected_status, Some(class)), "{text}");
            let message = envelope["error"].as_str().expect("is a text");
            assert!(message.starts_with(text), "{message}");
            assert_eq!(envelope.as_object().map(serde_json::Map::len), Some(2));
        }
        let (status, _, body) = answer_body(Request::post("/echo"), Body::from(vec![b' '; 3 << 20])).await;
        assert_eq!(status, 413);
        assert!(body.contains("\"type\":\"ValueError\""), "{body}");
        let (_, headers, _) = answer(Request::delete("/fail"), "").await;
        assert_eq!(headers["allow"], "GET,HEAD");
    }

    #[tokio::test]
    async fn a_body_is_an_object_or_nothing() {
        assert_eq!(answer(Request::post("/echo"), "").await.2, "{}");
        assert_eq!(answer(Request::post("/echo"), "null").await.2, "{}");
        let form = Request::post("/echo").header("content-type", "application/x-www-form-urlencoded");
        assert_eq!(answer(form, "{\"a\": 1}").await.2, "{\"a\":1}");
    }

    #[tokio::test]
    async fn what_went_wrong_inside_is_in_the_log_and_not_in_the_answer() {
        Log::start();
        let hidden = json!({
            "error": "internal error; the log of the server has the details under the id of this request",
            "type": "InternalError",
        });
        assert_eq!(
            error(Request::get("/fail").header("x-request-id", "id-1"), "").await,
            (500, hidden.clone())
        );
        assert_eq!(error(Request::get("/panic"), "").await, (500, hidden));
        let log = Log::text();
        let [fail, panic] = log.lines().collect::<Vec<_>>()[..] else { panic!("two lines: {log}") };
        assert!(fail.contains("id=\"id-1\"") && fail.contains("the disk at /var is full"), "{fail}");
        assert!(panic.contains("ERROR") && panic.contains("it panicked: out of\\nhandlers"), "{panic}");
    }

    #[tokio::test]
    async fn the_access_log_has_no_query_and_no_body() {
        Log::start();
        answer(Request::post("/echo?token=hunter2"), "{\"password\": \"hunter2\"}").await;
        let log = Log::text();
        assert!(log.contains("method=POST path=\"/echo\" status=200 duration_ms="), "{log}");
        assert!(!log.contains("hunter2"), "{log}");
    }

    #[tokio::test]
    async fn request_ids_are_taken_over_when_they_are_plain() {
        let id = |headers: &HeaderMap| headers[REQUEST_ID].to_str().expect("is text").to_owned();
        let (_, headers, _) = answer(Request::get("/nope").header(REQUEST_ID, "caller-7"), "").await;
        assert_eq!(id(&headers), "caller-7");
        let long = "x".repeat(MAX_REQUEST_ID_LENGTH + 1);
        let mut made = Vec::new();
        let odd_ones = [
            "",
            "two words",
            &long,
            "tab\ttab",
            " ",
            "caf\u{e9}",
            "\u{2028}",
            "a\u{a0}b",
            "\u{202e}di",
            "x\u{7}\u{fe}",
        ];
        let odd_ones = odd_ones.into_iter().filter_map(|odd| HeaderValue::from_bytes(odd.as_bytes()).ok());
        let odd_ones: Vec<_> = odd_ones.collect();
        for odd in odd_ones.clone() {
            let (_, headers, _) = answer(Request::get("/nope").header(REQUEST_ID, odd), "").await;
            made.push(id(&headers));
        }
        made.sort();
        made.dedup();
        assert!(made.len() >= 9 && made.len() == odd_ones.len(), "each has an id of its own: {made:?}");
    }
}
