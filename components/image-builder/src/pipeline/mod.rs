//! From a request to images: the steps of a build, in order.
//!
//! A build is one future. Dropping it, because the caller has hung up or the server stops, ends whatever is under way
//! and removes the workspace. The log stays in every case.

mod build;
mod retention;
mod state;
mod steps;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use racetrack_core::JobType;
use racetrack_core::host::catalogue::Catalogue;
use racetrack_service::HookRuntime;
use racetrack_service::upload::{UploadLimits, Uploads};
use tokio::sync::Semaphore;

pub(crate) use self::build::{BeginError, Build, BuildResult};
use self::state::PipelineState;
use crate::blocking::on_a_thread;
use crate::build_metrics;
use crate::engine::ImageEngine;
use crate::engine::bundle::{BundleEngine, BundleEngineError, PlatformVersion};
use crate::folder::check::{FolderCheck, UnwritableFolder};
use crate::identifier::PlatformId;
use crate::phases::LifecycleClient;
use crate::request::BuildRequest;
use crate::retention::{Holdings, Release, Removals, RetentionError, metrics as removal_metrics};
use crate::settings::BuildConfig;
use crate::workspace::{Workspaces, WorkspacesError};

/// How long a request waits for room for its source: lifecycle waits for five minutes, and has nothing better to do with it.
const UPLOAD_WAIT: Duration = Duration::from_mins(4);

/// Builds jobs. Clones share everything.
#[derive(Clone)]
pub struct BuildPipeline(Arc<PipelineState>);

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
        removal_metrics::describe();
        let mut folders = engine.folders();
        folders.extend([config.workspaces_folder.clone(), config.build_logs_folder.clone()]);
        let folders = FolderCheck::new(folders);
        let limits = UploadLimits {
            request: config.max_request_size,
            all: config.max_uploads_size,
            wait: UPLOAD_WAIT,
        };
        let uploads = Uploads::new(config.workspaces_folder.clone(), limits);
        let state = PipelineState {
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
        Ok(Self(Arc::new(state)))
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
        let Self(state) = self.clone();
        let held = on_a_thread(move || {
            let PipelineState { engine, config, .. } = &*state;
            Ok(retention::holdings(&**engine, &config.build_logs_folder, &platform))
        });
        held.await?
    }

    /// Removes what a platform needs no longer, also when nobody waits for the answer any more.
    pub(crate) async fn release(&self, release: Release) -> Result<Removals, RetentionError> {
        let Self(state) = self.clone();
        let released = on_a_thread(move || {
            let _alone = state.removing.lock().unwrap_or_else(PoisonError::into_inner);
            let PipelineState { engine, config, workspaces, .. } = &*state;
            Ok(retention::release(&**engine, &config.build_logs_folder, workspaces, &release))
        });
        released.await?
    }

    /// Prepares a build: from here on its log is stored.
    pub(crate) fn begin(&self, request: BuildRequest) -> Result<Build, BeginError> {
        Build::begin(Arc::clone(&self.0), request)
    }
}

impl fmt::Debug for BuildPipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildPipeline").field("engine", &self.0.engine.name()).finish_non_exhaustive()
    }
}
