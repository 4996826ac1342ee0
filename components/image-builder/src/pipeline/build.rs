//! One build, from the claim on its deployment to its result.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt;
use racetrack_core::error::chain;
use racetrack_core::host::failure::HookFailureCause;
use racetrack_core::text::{BoundedText, TextLimit};
use serde::Serialize;

use super::state::PipelineState;
use super::steps;
use crate::build_log::BuildLog;
use crate::build_metrics;
use crate::identifier::DeploymentId;
use crate::phases::Reporter;
use crate::request::BuildRequest;
use crate::workspace::Claim;

/// How much of a log is given back with the result: as much as lifecycle shows. A character may take six bytes of JSON, and
/// lifecycle reads no answer of more than 28 MiB. The file has all that is kept.
const ANSWERED_LOG: TextLimit = TextLimit::LOG;

/// A build that has not begun.
pub(crate) struct Build {
    pipeline: Arc<PipelineState>,
    request: BuildRequest,
    claim: Claim,
    log: Arc<BuildLog>,
}

/// What became of a build.
#[derive(Debug, Serialize)]
pub(crate) struct BuildResult {
    /// The images, the entrypoint first.
    pub(crate) image_names: Vec<String>,
    /// The log of the build, also of one that failed.
    pub(crate) logs: String,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

/// Why a build does not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BeginError {
    #[error("a build of deployment {0} is under way")]
    UnderWay(String),
    #[error("cannot open the build log")]
    Log(#[source] io::Error),
}

/// Notes in the log that a build was dropped before its end.
struct CancellationNote<'a> {
    log: &'a BuildLog,
    id: &'a DeploymentId,
    has_ended: bool,
}

impl Build {
    /// Opens the log of a build, and claims its deployment.
    pub(super) fn begin(pipeline: Arc<PipelineState>, request: BuildRequest) -> Result<Self, BeginError> {
        let id = &request.deployment_id;
        let claim = pipeline.workspaces.claim(id);
        let claim = claim.ok_or_else(|| BeginError::UnderWay(id.as_str().to_owned()))?;
        let redaction = request.redaction.clone();
        let config = &pipeline.config;
        let log = BuildLog::open(&config.build_logs_folder, id, redaction, config.max_build_log_size);
        let log = Arc::new(log.map_err(BeginError::Log)?);
        Ok(Self { pipeline, request, claim, log })
    }

    /// Builds. Every failure is part of the result.
    pub(crate) async fn run(self) -> BuildResult {
        let Self { pipeline, request, claim, log } = self;
        let id = request.deployment_id.clone();
        let (name, version) = (request.manifest.name.clone(), request.manifest.version.clone());
        tracing::info!(
            deployment.id = id.as_str(),
            job.name = name,
            job.version = version,
            "building job {name} {version}"
        );
        let started = Instant::now();
        build_metrics::requested();
        let mut note = CancellationNote { log: &log, id: &id, has_ended: false };
        let reporter = Reporter::new(pipeline.lifecycle.clone(), id.clone());
        let built = steps::run(&pipeline, request, claim, &log, reporter);
        let built = AssertUnwindSafe(built).catch_unwind().await;
        note.has_ended = true;
        let error = match &built {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(chain(error)),
            Err(payload) => {
                Some(format!("image-builder failed: {}", HookFailureCause::from_panic(&**payload)))
            }
        };
        let error: Option<String> =
            error.map(|error| BoundedText::new(log.redact(&error), TextLimit::FAILURE).into());
        if let Some(error) = &error {
            log.line(&format!("error: {error}"));
            let error = error.escape_debug();
            tracing::warn!(deployment.id = id.as_str(), "building job {name} {version} failed: {error}");
        } else {
            tracing::info!(deployment.id = id.as_str(), "built job {name} {version}");
        }
        let image_names = built.ok().and_then(Result::ok).unwrap_or_default();
        build_metrics::done(image_names.len(), error.is_some(), started.elapsed());
        BuildResult { image_names, logs: BoundedText::new(log.text(), ANSWERED_LOG).into(), error }
    }
}

impl Drop for CancellationNote<'_> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        self.log.line("error: the caller hung up, so the build was cancelled");
        tracing::warn!(deployment.id = self.id.as_str(), "a build was cancelled, because its caller hung up");
    }
}
