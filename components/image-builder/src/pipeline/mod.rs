//! From a request to images: the steps of a build, in order.
//!
//! A build is one future. Dropping it, because the caller has hung up or the server stops, ends whatever is under way
//! and removes the workspace. The log stays in every case.

mod retention;
mod steps;

use std::error::Error;
use std::fmt;
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use racetrack_core::JobType;
use racetrack_core::catalogue::Catalogue;
use racetrack_core::error::chain;
use racetrack_core::failure::HookFailureCause;
use racetrack_core::text::{BoundedText, TextLimit};
use racetrack_service::HookRuntime;
use racetrack_service::upload::{UploadLimits, Uploads};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::blocking::on_a_thread;
use crate::build_log::BuildLog;
use crate::build_metrics;
use crate::engine::ImageEngine;
use crate::engine::bundle::{BundleEngine, BundleEngineError, PlatformVersion};
use crate::folder::check::{FolderCheck, UnwritableFolder};
use crate::identifier::{DeploymentId, PlatformId};
use crate::phases::{LifecycleClient, Phase, Reporter};
use crate::request::BuildRequest;
use crate::retention::{Holdings, Release, Removals, RetentionError};
use crate::settings::BuildConfig;
use crate::workspace::{Claim, Workspaces, WorkspacesError};

/// How much of a log is given back with the result: as much as lifecycle shows. A character may take six bytes of JSON, and
/// lifecycle reads no answer of more than 28 MiB. The file has all that is kept.
const ANSWERED_LOG: TextLimit = TextLimit::LOG;

/// How long a request waits for room for its source: lifecycle waits for five minutes, and has nothing better to do with it.
const UPLOAD_WAIT: Duration = Duration::from_mins(4);

/// Builds jobs. Clones share everything.
#[derive(Clone)]
pub struct BuildPipeline(Arc<Shared>);

struct Shared {
    config: BuildConfig,
    hooks: HookRuntime,
    job_types: Arc<Catalogue<JobType>>,
    engine: Box<dyn ImageEngine>,
    workspaces: Workspaces,
    uploads: Uploads,
    folders: FolderCheck,
    /// One permit per build at a time. Who waits longest is next.
    places: Semaphore,
    /// Held while something is removed.
    removing: Mutex<()>,
    lifecycle: Option<LifecycleClient>,
}

/// Why nothing can be built.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The workspaces cannot be used.
    #[error(transparent)]
    Workspaces(#[from] WorkspacesError),
    /// The engine cannot be used.
    #[error(transparent)]
    Engine(#[from] BundleEngineError),
    /// There is no place for build logs.
    #[error("cannot make the folder of the build logs")]
    Logs(#[source] io::Error),
}

/// Why a build does not begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BeginError {
    #[error("a build of deployment {0} is under way")]
    UnderWay(String),
    #[error("cannot open the build log")]
    Log(#[source] io::Error),
}

/// A build that has not begun.
pub(crate) struct Build {
    pipeline: BuildPipeline,
    request: BuildRequest,
    claim: Claim,
    log: Arc<BuildLog>,
}

/// Notes in the log that a build was dropped before its end.
struct Cancelled<'a> {
    log: &'a BuildLog,
    id: &'a DeploymentId,
    has_ended: bool,
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

/// A step that failed. The phase stands before the text of every error in it.
#[derive(Debug, thiserror::Error)]
#[error("{phase}")]
struct StepError {
    phase: Phase,
    source: Box<dyn Error + Send + Sync>,
}

impl BuildPipeline {
    /// Makes the folders, and removes what interrupted builds left in them.
    ///
    /// # Errors
    /// [`PipelineError`], naming the folder that cannot be used.
    pub(crate) fn open(
        config: BuildConfig,
        hooks: HookRuntime,
        job_types: Arc<Catalogue<JobType>>,
        platform: PlatformVersion,
    ) -> Result<Self, PipelineError> {
        let workspaces = Workspaces::open(&config.workspaces_folder)?;
        let engine: Box<dyn ImageEngine> = Box::new(BundleEngine::open(&config, platform)?);
        fs_err::create_dir_all(&config.build_logs_folder).map_err(PipelineError::Logs)?;
        let places = Semaphore::new(config.max_concurrent_builds.get().min(Semaphore::MAX_PERMITS));
        let lifecycle = LifecycleClient::new(&config.lifecycle_url, config.component_auth_token.as_ref());
        build_metrics::describe();
        crate::retention::metrics::describe();
        let mut folders = engine.folders();
        folders.extend([config.workspaces_folder.clone(), config.build_logs_folder.clone()]);
        let folders = FolderCheck::new(folders);
        let limits = UploadLimits {
            request: config.max_request_size,
            all: config.max_uploads_size,
            wait: UPLOAD_WAIT,
        };
        let uploads = Uploads::new(config.workspaces_folder.clone(), limits);
        let shared = Shared {
            config,
            hooks,
            job_types,
            engine,
            workspaces,
            uploads,
            folders,
            places,
            removing: Mutex::default(),
            lifecycle,
        };
        Ok(Self(Arc::new(shared)))
    }

    /// What the pipeline was configured with.
    pub fn config(&self) -> &BuildConfig {
        &self.0.config
    }

    /// What takes requests with sources.
    pub(crate) fn uploads(&self) -> &Uploads {
        &self.0.uploads
    }

    /// Whether builds have the room they need, as health and readiness report it.
    ///
    /// # Errors
    /// Which folder cannot be written, and why.
    pub(crate) async fn check_folders(&self) -> Result<(), Arc<UnwritableFolder>> {
        self.0.folders.check().await
    }

    /// What is held for a platform.
    pub(crate) async fn holdings(&self, platform: PlatformId) -> Result<Holdings, RetentionError> {
        let Self(shared) = self.clone();
        let held = on_a_thread(move || {
            let Shared { engine, config, .. } = &*shared;
            Ok(retention::holdings(&**engine, &config.build_logs_folder, &platform))
        });
        held.await?
    }

    /// Removes what a platform needs no longer, also when nobody waits for the answer any more.
    pub(crate) async fn release(&self, release: Release) -> Result<Removals, RetentionError> {
        let Self(shared) = self.clone();
        let released = on_a_thread(move || {
            let _alone = shared.removing.lock().unwrap_or_else(PoisonError::into_inner);
            let Shared { engine, config, workspaces, .. } = &*shared;
            Ok(retention::release(&**engine, &config.build_logs_folder, workspaces, &release))
        });
        released.await?
    }

    /// Prepares a build: from here on its log is kept.
    pub(crate) fn begin(&self, request: BuildRequest) -> Result<Build, BeginError> {
        let id = &request.deployment_id;
        let claim = self.0.workspaces.claim(id);
        let claim = claim.ok_or_else(|| BeginError::UnderWay(id.as_str().to_owned()))?;
        let redaction = request.redaction.clone();
        let config = &self.0.config;
        let log = BuildLog::open(&config.build_logs_folder, id, redaction, config.max_build_log_size);
        let log = Arc::new(log.map_err(BeginError::Log)?);
        Ok(Build { pipeline: self.clone(), request, claim, log })
    }
}

impl Build {
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
        let mut cancelled = Cancelled { log: &log, id: &id, has_ended: false };
        let reporter = Reporter::new(pipeline.0.lifecycle.clone(), id.clone());
        let built = steps::run(&pipeline.0, request, claim, &log, reporter);
        let built = AssertUnwindSafe(built).catch_unwind().await;
        cancelled.has_ended = true;
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

impl Drop for Cancelled<'_> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        self.log.line("error: the caller hung up, so the build was cancelled");
        tracing::warn!(deployment.id = self.id.as_str(), "a build was cancelled, because its caller hung up");
    }
}

impl fmt::Debug for BuildPipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildPipeline").field("engine", &self.0.engine.name()).finish_non_exhaustive()
    }
}
