//! Has image-builder build a job.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use racetrack_core::GitCredentials;
use racetrack_core::text::{BoundedText, TextLimit, whole_characters};
use racetrack_service::setting_value::{AuthToken, HttpUrl};
use racetrack_service::upload::SourceFile;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

/// How long it may say nothing during a build. It shows every minute that it is alive.
const LONGEST_SILENCE: Duration = Duration::from_mins(5);

/// The longest answer that is read, in bytes: the logs of a build are in it.
const MAX_ANSWER: usize = 28 << 20;

/// How much of an answer is read before it has to be its turn, in bytes.
const SMALL_ANSWER: usize = 1 << 20;

/// Whose turn it is to read a large answer. Others wait meanwhile, and image-builder with them.
static LARGE_ANSWERS: Semaphore = Semaphore::const_new(2);

/// The most images of a job.
const MAX_IMAGES: usize = 100;

/// The longest name of an image, in bytes.
const MAX_IMAGE_NAME: usize = 4096;

/// Calls image-builder.
#[derive(Clone, Debug)]
pub(crate) struct ImageBuilder {
    url: HttpUrl,
    token: Option<AuthToken>,
    /// How long it may take to answer at all, while it is being started for example.
    start_time_limit: Duration,
    http: Client<HttpConnector, Body>,
}

/// What is to be built, beside its source.
#[derive(Serialize)]
pub(crate) struct BuildOrder<'a> {
    pub(crate) manifest: &'a Value,
    pub(crate) git_credentials: Option<&'a GitCredentials>,
    pub(crate) secret_build_env: &'a std::collections::BTreeMap<String, String>,
    pub(crate) tag: &'a str,
    pub(crate) deployment_id: &'a str,
    pub(crate) build_flags: &'a [String],
    /// For whom it is built: others do not have it removed.
    pub(crate) platform_id: &'a str,
}

/// An order as JSON.
pub(crate) struct OrderText(Vec<u8>);

/// What came of a build: images, or an error; logs in both cases.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Built {
    #[serde(default)]
    pub(crate) image_names: Vec<String>,
    #[serde(default)]
    pub(crate) logs: String,
    #[serde(default)]
    pub(crate) error: Option<String>,
}

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error("image-builder at {url} does not answer")]
    Unreachable {
        url: HttpUrl,
        #[source]
        source: hyper_util::client::legacy::Error,
    },
    #[error("image-builder at {url} did not answer in time")]
    Unhealthy { url: HttpUrl },
    #[error("the address of image-builder makes no request")]
    Request(#[source] axum::http::Error),
    #[error("the order to build cannot be written")]
    Order(#[source] serde_json::Error),
    #[error("image-builder refused: {0}")]
    Refused(String),
    #[error("image-builder went away while it was building")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("image-builder went away while it was building, without a result")]
    NoResult,
    #[error("image-builder said nothing for {} minutes", LONGEST_SILENCE.as_secs() / 60)]
    Silent,
    #[error("image-builder answered something that is not a result")]
    Answer(#[source] serde_json::Error),
    #[error("{0}")]
    Failed(String),
    #[error("image-builder built nothing")]
    NoImage,
    #[error(
        "image-builder answered more than {MAX_IMAGES} images, or the name of one is longer than {MAX_IMAGE_NAME} bytes"
    )]
    ImageNames,
}

/// Why a request that builds nothing has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    #[error("image-builder at {url} does not answer")]
    Unreachable {
        url: HttpUrl,
        #[source]
        source: hyper_util::client::legacy::Error,
    },
    #[error("image-builder at {url} did not answer within {} s", limit.as_secs())]
    Slow { url: HttpUrl, limit: Duration },
    #[error("the address of image-builder makes no request")]
    Request(#[source] axum::http::Error),
    #[error("image-builder refused: {0}")]
    Refused(String),
    #[error("image-builder broke off its answer")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("what image-builder is asked or answers is not the JSON expected")]
    Json(#[source] serde_json::Error),
}

/// The last event of a build.
#[derive(Deserialize)]
#[serde(untagged)]
enum LastEvent {
    Result { result: Built },
    Error { error: String },
}

impl ImageBuilder {
    pub(crate) fn new(url: HttpUrl, token: Option<AuthToken>, start_time_limit: Duration) -> Self {
        Self { url, token, start_time_limit, http: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Waits until image-builder answers that it is well, for a while.
    pub(crate) async fn wait_until_healthy(&self) -> Result<(), BuildError> {
        let deadline = Instant::now() + self.start_time_limit;
        let mut pause = Duration::from_millis(100);
        loop {
            let request = self.request(Method::GET, "/health").body(Body::empty());
            let answer = self.http.request(request.map_err(BuildError::Request)?);
            let failure = match timeout(self.start_time_limit, answer).await {
                Ok(Ok(answer)) if answer.status() == StatusCode::OK => return Ok(()),
                Ok(Err(source)) => BuildError::Unreachable { url: self.url.clone(), source },
                Ok(Ok(_)) | Err(_) => BuildError::Unhealthy { url: self.url.clone() },
            };
            if Instant::now() + pause > deadline {
                return Err(failure);
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(3));
        }
    }

    /// Has a job built, from the archive if there is one. A build that fails is no error here: its logs are worth keeping.
    pub(crate) async fn build(
        &self,
        order: OrderText,
        archive: Option<SourceFile>,
    ) -> Result<Built, BuildError> {
        let (body, length) = body(order, archive);
        let request = self
            .request(Method::POST, "/api/v1/build/sse")
            .header(CONTENT_TYPE, "application/json")
            .header(CONTENT_LENGTH, length)
            .header(ACCEPT, "text/event-stream")
            .body(body)
            .map_err(BuildError::Request)?;
        let answer = timeout(LONGEST_SILENCE, self.http.request(request)).await;
        let answer = answer.map_err(|_| BuildError::Silent)?;
        let answer = answer.map_err(|source| BuildError::Unreachable { url: self.url.clone(), source })?;
        let (head, body) = answer.into_parts();
        let mut body = Limited::new(body, MAX_ANSWER);
        let (mut text, mut turn) = (Vec::new(), None);
        while let Some(frame) =
            timeout(LONGEST_SILENCE, body.frame()).await.map_err(|_| BuildError::Silent)?
        {
            let frame = frame.map_err(BuildError::Broken)?;
            let Some(data) = frame.data_ref() else { continue };
            text.extend_from_slice(data);
            if turn.is_none() && text.len() > SMALL_ANSWER {
                turn = Some(LARGE_ANSWERS.acquire().await.expect("the semaphore is never closed"));
            }
        }
        if head.status != StatusCode::OK {
            return Err(BuildError::Refused(refusal(head.status, &text)));
        }
        let data = result_event(&text).ok_or(BuildError::NoResult)?;
        match serde_json::from_slice(data).map_err(BuildError::Answer)? {
            LastEvent::Result { result } => Ok(result),
            LastEvent::Error { error } => Err(BuildError::Failed(reason(error))),
        }
    }

    /// Sends JSON, or nothing, and reads what comes back.
    pub(crate) async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<T, ExchangeError> {
        let request = self.request(method, path).header(CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(body)).map_err(ExchangeError::Request)?;
        let answered = timeout(limit, async {
            let answer = self.http.request(request).await;
            let answer =
                answer.map_err(|source| ExchangeError::Unreachable { url: self.url.clone(), source })?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(ExchangeError::Broken)?;
            Ok((head.status, body.to_bytes()))
        });
        let slow = |_| ExchangeError::Slow { url: self.url.clone(), limit };
        let (status, body) = answered.await.map_err(slow)??;
        if status != StatusCode::OK {
            return Err(ExchangeError::Refused(refusal(status, &body)));
        }
        serde_json::from_slice(&body).map_err(ExchangeError::Json)
    }

    fn request(&self, method: Method, path: &str) -> axum::http::request::Builder {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.header("x-racetrack-auth", token.expose()),
            None => request,
        }
    }
}

impl BuildOrder<'_> {
    pub(crate) fn to_text(&self) -> Result<OrderText, BuildError> {
        serde_json::to_vec(self).map(OrderText).map_err(BuildError::Order)
    }
}

impl Built {
    /// The images, or why there are none.
    pub(crate) fn into_image_names(self) -> Result<Vec<String>, BuildError> {
        match self.error {
            Some(error) => Err(BuildError::Failed(reason(error))),
            None if self.image_names.is_empty() => Err(BuildError::NoImage),
            None if self.image_names.len() > MAX_IMAGES
                || self.image_names.iter().any(|name| name.len() > MAX_IMAGE_NAME) =>
            {
                Err(BuildError::ImageNames)
            }
            None => Ok(self.image_names),
        }
    }
}

/// The JSON of an order, with its length. The archive is read while it is sent, so that it is never in memory.
fn body(OrderText(mut json): OrderText, archive: Option<SourceFile>) -> (Body, u64) {
    let Some(archive) = archive else {
        let length = json.len() as u64;
        return (json.into(), length);
    };
    let end = json.pop();
    debug_assert_eq!(end, Some(b'}'), "an order is an object");
    json.extend_from_slice(b",\"build_context\":\"");
    archive.into_base64_body(json, b"\"}".to_vec())
}

/// Why a build failed, which quotes the programs of the build.
fn reason(error: String) -> String {
    BoundedText::new(error, TextLimit::FAILURE).into()
}

/// The data of the event `result` in a stream of server-sent events.
fn result_event(stream: &[u8]) -> Option<&[u8]> {
    let mut lines = stream.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    lines.find(|line| *line == b"event: result")?;
    lines.find_map(|line| line.strip_prefix(b"data:")).map(<[u8]>::trim_ascii_start)
}

/// What an answer says that is no stream: an error in the shape of every component, or whatever it is.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Envelope {
        error: String,
    }
    let text = || {
        let shown = &body[..body.len().min(1000)];
        format!("{status}: {}", String::from_utf8_lossy(&shown[..whole_characters(shown)]))
    };
    serde_json::from_slice(body).map_or_else(|_| text(), |Envelope { error }| reason(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_found_behind_heartbeats() {
        let stream = b"event: keepalive_heartbeat\n\nevent: result\ndata: {\"error\": \"x\"}\n\n";
        assert_eq!(result_event(stream), Some(&b"{\"error\": \"x\"}"[..]));
        let crlf = b"event: keepalive_heartbeat\r\n\r\nevent: result\r\ndata:{}\r\n\r\n";
        assert_eq!(result_event(crlf), Some(&b"{}"[..]));
        assert_eq!(result_event(b"event: keepalive_heartbeat\n\n"), None);
        assert_eq!(result_event(b"event: result\n"), None);
    }

    #[tokio::test]
    async fn an_archive_is_sent_as_base64_within_the_order() {
        let folder = tempfile::tempdir().expect("can be made");
        let upload = br#"{"build_context": "aGVsbG8="}"#;
        let upload = racetrack_service::upload::Upload::of_bytes(upload, folder.path()).expect("is one");
        let order = BuildOrder {
            manifest: &Value::Null,
            git_credentials: None,
            secret_build_env: &std::collections::BTreeMap::new(),
            tag: "t",
            deployment_id: "d",
            build_flags: &[],
            platform_id: "p",
        };
        for (archive, context) in [(upload.source, serde_json::json!("aGVsbG8=")), (None, Value::Null)] {
            let (body, length) = body(order.to_text().expect("can be written"), archive);
            let json = body.collect().await.expect("can be read").to_bytes();
            assert_eq!(json.len() as u64, length);
            let order: Value = serde_json::from_slice(&json).expect("is JSON");
            assert_eq!((&order["tag"], &order["build_context"]), (&Value::from("t"), &context));
        }
    }

    #[test]
    fn a_refusal_is_told_as_it_was_answered() {
        assert_eq!(refusal(StatusCode::BAD_REQUEST, b"{\"error\": \"no\", \"type\": \"X\"}"), "no");
        assert_eq!(refusal(StatusCode::BAD_GATEWAY, b"<html>"), "502 Bad Gateway: <html>");
        let long = refusal(StatusCode::BAD_GATEWAY, format!("x{}", "é".repeat(100_000)).as_bytes());
        assert_eq!(long, format!("502 Bad Gateway: x{}", "é".repeat(499)));
        let error = serde_json::json!({ "error": "é".repeat(1_000_000), "type": "X" }).to_string();
        assert!(refusal(StatusCode::BAD_REQUEST, error.as_bytes()).len() <= TextLimit::FAILURE.get());
    }
}
