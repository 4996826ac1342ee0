//! Engines: what turns the source of a job into something an infrastructure can start.

pub(crate) mod bundle;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use racetrack_core::{EnvVars, JobManifest, JobType};

use crate::build_log::BuildLog;
use crate::folder::removal::RemovalCounts;
use crate::identifier::PlatformId;
use crate::retention::{HeldImage, Mark, Owner, RemainingImages, RetentionError};
use crate::workspace::ScratchFolder;

/// Makes the images of jobs.
#[async_trait]
pub(crate) trait ImageEngine: Send + Sync + 'static {
    /// The name of the engine, as people know it.
    fn name(&self) -> &'static str;

    /// The folders that it writes into, and cannot build without.
    fn folders(&self) -> Vec<PathBuf>;

    /// Makes the images of a job, in the order of its job type. Whatever is under way ends when the future is dropped.
    async fn build(&self, request: EngineRequest) -> Result<Vec<String>, EngineError>;

    /// How many images a job of that type has.
    fn images(&self, job_type: &JobType) -> usize;

    /// The images that the platform has, as of the mark. Blocks its thread, as those below do.
    fn held(&self, platform: &PlatformId) -> io::Result<(Mark, Vec<HeldImage>)>;

    /// Removes the images that the platform has released, except those that somebody else has, and those that were made or
    /// used again after the mark.
    fn release(
        &self,
        platform: &PlatformId,
        mark: Mark,
        images: &[String],
    ) -> Result<RemovalCounts, RetentionError>;

    /// Removes what images needed, and what no image and no build needs any more.
    fn clean_cache(&self) -> RemovalCounts;

    /// How much is left.
    fn remaining(&self) -> io::Result<RemainingImages>;
}

/// What an engine is given.
pub(crate) struct EngineRequest {
    pub(crate) manifest: Arc<JobManifest>,
    /// The job type, with its exact version.
    pub(crate) job_type_name: String,
    pub(crate) job_type: JobType,
    /// The source of the job, checked. It is not changed.
    pub(crate) source: PathBuf,
    /// The revision of the source, as people write it.
    pub(crate) git_version: String,
    /// The workspace that the source is in; held by whatever still reads it.
    pub(crate) workspace: ScratchFolder,
    pub(crate) build_secrets: Arc<EnvVars>,
    pub(crate) no_cache: bool,
    /// For whom it is built, if that is known.
    pub(crate) owner: Option<Owner>,
    pub(crate) log: Arc<BuildLog>,
}

/// Why an engine makes no images: the text and its causes are for the owner of the job.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct EngineError(pub(crate) Box<dyn std::error::Error + Send + Sync>);

impl EngineError {
    pub(crate) fn new(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(error))
    }
}
