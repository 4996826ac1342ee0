//! The phases of a build, and the lifecycle that is told of them.

use std::fmt;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Request};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use racetrack_service::setting_value::AuthToken;
use serde_json::{Value, json};

use crate::identifier::DeploymentId;
use crate::settings::LifecycleUrl;

/// How long lifecycle may take to answer. A build does not wait for it much longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// The header of the token.
pub(crate) const AUTH_HEADER: &str = "x-racetrack-auth";

/// What a build is doing. The text also stands before every error of that phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Waiting,
    Fetching,
    Preparing,
    Building { image: usize, images: usize },
    CleaningUp,
    Finalizing,
}

/// Tells lifecycle of one deployment. A build never fails because it cannot be told.
#[derive(Debug)]
pub(crate) struct Reporter {
    client: Option<LifecycleClient>,
    id: DeploymentId,
}

/// Calls lifecycle.
#[derive(Clone, Debug)]
pub(crate) struct LifecycleClient {
    url: String,
    token: Option<AuthToken>,
    http: Client<HttpConnector, Full<axum::body::Bytes>>,
}

/// Why lifecycle was not told.
#[derive(Debug, thiserror::Error)]
enum ReportError {
    #[error("its address makes no request")]
    Request(#[source] axum::http::Error),
    #[error("it does not answer")]
    Connection(#[source] hyper_util::client::legacy::Error),
    #[error("it answered {0}")]
    Refused(axum::http::StatusCode),
    #[error("it did not answer within {}", humantime::format_duration(PATIENCE))]
    TimedOut,
}

impl LifecycleClient {
    /// A client of the lifecycle there, if there is one.
    pub(crate) fn new(url: &LifecycleUrl, token: Option<&AuthToken>) -> Option<Self> {
        let http = Client::builder(TokioExecutor::new()).build_http();
        url.get().map(|url| Self { url: url.to_owned(), token: token.cloned(), http })
    }

    async fn put(&self, id: &DeploymentId, what: &str, body: &Value) -> Result<(), ReportError> {
        let mut request = Request::builder()
            .method(Method::PUT)
            .uri(format!("{}/api/v1/deploy/{}/{what}", self.url, id.as_str()))
            .header(CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTH_HEADER, token.expose());
        }
        let request = request.body(Full::from(body.to_string())).map_err(ReportError::Request)?;
        let answer = tokio::time::timeout(PATIENCE, self.http.request(request)).await;
        let answer = answer.map_err(|_| ReportError::TimedOut)?.map_err(ReportError::Connection)?;
        if answer.status().is_success() { Ok(()) } else { Err(ReportError::Refused(answer.status())) }
    }
}

impl Reporter {
    pub(crate) const fn new(client: Option<LifecycleClient>, id: DeploymentId) -> Self {
        Self { client, id }
    }

    /// Tells what the build is doing now.
    pub(crate) async fn phase(&mut self, phase: Phase) {
        self.tell("phase", &json!({"phase": phase.to_string()})).await;
    }

    /// Tells what the owner of the job should know.
    pub(crate) async fn warn(&mut self, warnings: &str) {
        self.tell("warnings", &json!({"warnings": warnings})).await;
    }

    async fn tell(&mut self, what: &str, body: &Value) {
        let Some(client) = &self.client else { return };
        let Err(error) = client.put(&self.id, what, body).await else { return };
        let cause = racetrack_core::error::chain(&error);
        tracing::warn!(
            deployment.id = self.id.as_str(),
            "lifecycle was not told the {what} of a build: {cause}"
        );
        if matches!(error, ReportError::TimedOut) {
            // One wait is enough for one build.
            self.client = None;
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("waiting for other builds"),
            Self::Fetching => f.write_str("fetching the source code"),
            Self::Preparing => f.write_str("preparing job type builder"),
            Self::Building { image, images } => write!(f, "building image ({image}/{images})"),
            Self::CleaningUp => f.write_str("cleaning up the workspace"),
            Self::Finalizing => f.write_str("finalizing the build"),
        }
    }
}
