//! What the builds of a pipeline have in common.

use std::sync::{Arc, Mutex};

use racetrack_core::JobType;
use racetrack_core::host::catalogue::Catalogue;
use racetrack_service::HookRuntime;
use racetrack_service::upload::Uploads;
use tokio::sync::Semaphore;

use crate::engine::ImageEngine;
use crate::folder::check::FolderCheck;
use crate::phases::LifecycleClient;
use crate::settings::BuildConfig;
use crate::workspace::Workspaces;

/// The state that all builds of a pipeline share.
pub(super) struct PipelineState {
    pub(super) config: BuildConfig,
    pub(super) hooks: HookRuntime,
    pub(super) job_types: Arc<Catalogue<JobType>>,
    pub(super) engine: Box<dyn ImageEngine>,
    pub(super) workspaces: Workspaces,
    pub(super) uploads: Uploads,
    pub(super) folders: FolderCheck,
    /// One permit per build at a time. Who waits longest is next.
    pub(super) places: Semaphore,
    /// Held while something is removed.
    pub(super) removing: Mutex<()>,
    pub(super) lifecycle: Option<LifecycleClient>,
}
