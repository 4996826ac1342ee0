//! The steps of one build.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use racetrack_core::host::failure::HookFailure;
use racetrack_core::job_type_match::{self, JobTypeError};
use racetrack_core::text::{BoundedText, TextLimit};
use racetrack_core::{Hook, JobManifest, ValidateJobManifest};
use racetrack_service::source_archive::{self, ArchiveError, ArchiveLimits};
use racetrack_service::upload::SourceFile;

use super::state::PipelineState;
use crate::blocking::on_a_thread;
use crate::build_log::BuildLog;
use crate::build_metrics::ActiveBuild;
use crate::engine::EngineRequest;
use crate::phases::{Phase, Reporter};
use crate::request::{BuildRequest, RequestedSource};
use crate::retention::Owner;
use crate::source::git::{FetchError, GitLimits};
use crate::source::links::LinkError;
use crate::source::{FetchedSource, consistency, git, links};
use crate::workspace::{Claim, ScratchFolder};

/// The only kind of image a manifest may ask for.
const IMAGE_TYPE: &str = "docker";

/// The file of the job with its manifest.
const MANIFEST_FILE: &str = "job.yaml";

/// A step that failed. The phase stands before the text of every error in it.
#[derive(Debug, thiserror::Error)]
#[error("{phase}")]
pub(super) struct StepError {
    phase: Phase,
    source: Box<dyn Error + Send + Sync>,
}

/// Why there is no source in the workspace.
#[derive(Debug, thiserror::Error)]
enum SourceError {
    #[error("cannot make the workspace")]
    Workspace(#[source] io::Error),
    #[error("extracting build context")]
    Context(#[from] ArchiveError),
    #[error("fetching job repo")]
    Git(#[from] FetchError),
    #[error("checking the source")]
    Links(#[from] LinkError),
    #[error("writing {MANIFEST_FILE}")]
    Manifest(#[source] io::Error),
    #[error("the thread of this step ended")]
    Thread(#[source] tokio::task::JoinError),
}

/// Why a job is not built although its source is there.
#[derive(Debug, thiserror::Error)]
enum PrepareError {
    #[error("not supported image_type: {0}")]
    ImageType(String),
    #[error(transparent)]
    JobType(#[from] JobTypeError),
    #[error("invalid manifest according to job type rules: {}", .0.one_line())]
    Rules(HookFailure),
}

/// Tells of each step before it is taken.
struct Progress<'a> {
    phase: Phase,
    reporter: Reporter,
    log: &'a BuildLog,
}

/// Runs all steps. After a failure no further phase is reported, so that the deployment shows where it failed.
pub(super) async fn run(
    pipeline: &PipelineState,
    request: BuildRequest,
    claim: Claim,
    log: &Arc<BuildLog>,
    reporter: Reporter,
) -> Result<Vec<String>, StepError> {
    let mut progress = Progress { phase: Phase::Waiting, reporter, log };
    let JobManifest { name, version, .. } = &request.manifest;
    log.line(&format!("Building job {name} {version}, tag {}.", request.tag));
    let _place = if let Ok(place) = pipeline.places.try_acquire() {
        place
    } else {
        progress.enter(Phase::Waiting).await;
        pipeline.places.acquire().await.expect("the semaphore is never closed")
    };
    let _active = ActiveBuild::begin();

    progress.enter(Phase::Fetching).await;
    let workspace = claim.open().map_err(SourceError::Workspace).map_err(|error| progress.failed(error))?;
    let source = fetch(pipeline, &request, &workspace, &mut progress).await;
    let source = source.map_err(|error| progress.failed(error))?;
    log.line(&format!("The revision of the source is {}.", source.git_version));

    progress.enter(Phase::Preparing).await;
    let BuildRequest {
        deployment_id,
        platform_id,
        manifest,
        secret_build_env,
        no_cache,
        source: uploaded,
        memory: _memory,
        ..
    } = request;
    let owner = platform_id.map(|platform| Owner { platform, deployment: deployment_id });
    // It is unpacked, and others may wait for its room.
    drop(uploaded);
    let manifest = Arc::new(manifest);
    let job_type_name = prepare(pipeline, &manifest).await.map_err(|error| progress.failed(error))?;
    log.line(&format!("The job type is {job_type_name}."));
    let job_type = &pipeline.job_types.get(&job_type_name).expect("has just been found").item;

    let images = pipeline.engine.images(job_type);
    progress.enter(Phase::Building { image: 1, images }).await;
    let engine_request = EngineRequest {
        manifest,
        job_type_name,
        job_type: job_type.clone(),
        source: source.job,
        git_version: source.git_version,
        workspace: workspace.clone(),
        build_secrets: Arc::new(secret_build_env),
        no_cache,
        owner,
        log: Arc::clone(log),
    };
    let image_names = pipeline.engine.build(engine_request).await.map_err(|error| progress.failed(error))?;

    progress.enter(Phase::CleaningUp).await;
    let removed = on_a_thread(move || {
        drop(workspace);
        Ok(())
    });
    removed.await.map_err(|error| progress.failed(error))?;
    progress.enter(Phase::Finalizing).await;
    Ok(image_names)
}

async fn fetch(
    pipeline: &PipelineState,
    request: &BuildRequest,
    workspace: &ScratchFolder,
    progress: &mut Progress<'_>,
) -> Result<FetchedSource, SourceError> {
    let config = &pipeline.config;
    let (source, is_git) = match &request.source {
        RequestedSource::Context(archive) => {
            let (archive, limits) = (Arc::clone(archive), config.unpack_limits);
            (extract(archive, workspace.clone(), limits).await?, false)
        }
        RequestedSource::Git { source, credentials } => {
            let limits = GitLimits { time: config.git_time_limit, tree: config.unpack_limits };
            let credentials = credentials.as_ref();
            let refused = &config.refused_git_networks;
            (git::fetch(source, credentials, refused, workspace, progress.log, limits).await?, true)
        }
    };
    let (held, manifest, yaml) = (workspace.clone(), request.manifest.clone(), request.manifest_yaml.clone());
    let verify = is_git && config.verify_manifest_consistency;
    let checked = tokio::task::spawn_blocking(move || {
        let _held = held;
        links::check(&source.job)?;
        let warning = if verify { consistency::warning(&source, &manifest) } else { None };
        write_manifest(&source.job, &yaml).map_err(SourceError::Manifest)?;
        Ok::<_, SourceError>((source, warning))
    });
    let (source, warning) = checked.await.map_err(SourceError::Thread)??;
    if let Some(warning) = warning {
        progress.warn(&warning).await;
    }
    Ok(source)
}

async fn extract(
    archive: Arc<SourceFile>,
    workspace: ScratchFolder,
    limits: ArchiveLimits,
) -> Result<FetchedSource, SourceError> {
    let unpacked = tokio::task::spawn_blocking(move || {
        let root = workspace.path().join("context");
        fs_err::create_dir(&root).map_err(SourceError::Workspace)?;
        source_archive::unpack(archive.reader(), archive.size(), &root, limits)?;
        Ok(FetchedSource { job: root.clone(), root, git_version: "tar".to_owned() })
    });
    unpacked.await.map_err(SourceError::Thread)?
}

/// Puts the submitted manifest where the job finds it.
fn write_manifest(job: &Path, yaml: &str) -> io::Result<()> {
    let path = job.join(MANIFEST_FILE);
    match fs_err::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Never through a link: the file is made here, or not at all.
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(yaml.as_bytes())
}

/// Finds the job type, and asks its plugin about the manifest.
async fn prepare(pipeline: &PipelineState, manifest: &Arc<JobManifest>) -> Result<String, PrepareError> {
    if manifest.image_type != IMAGE_TYPE {
        return Err(PrepareError::ImageType(manifest.image_type.clone()));
    }
    let available = pipeline.job_types.iter().map(|(name, _)| name);
    let job_type = job_type_match::resolve(manifest.job_type(), available)?.to_owned();
    let owner = pipeline.job_types.get(&job_type).expect("has just been found").plugin;
    let registry = pipeline.hooks.registry();
    let owner = &registry.entries()[owner];
    let hook = Hook::ValidateJobManifest;
    if owner.hooks.contains(hook) {
        let event = Arc::new((Arc::clone(manifest), job_type.clone()));
        let validated = pipeline.hooks.call_one(owner, hook, event, |plugin, (manifest, job_type)| {
            plugin.validate_job_manifest(ValidateJobManifest::new(manifest, job_type))
        });
        validated.await.map_err(PrepareError::Rules)?;
    }
    Ok(job_type)
}

impl Progress<'_> {
    async fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.log.line(&format!("==> {phase}"));
        self.reporter.phase(phase).await;
    }

    async fn warn(&mut self, warning: &str) {
        let warning: String = BoundedText::new(self.log.redact(warning), TextLimit::ANSWER).into();
        self.log.line(&format!("warning: {warning}"));
        self.reporter.warn(&warning).await;
    }

    fn failed(&self, error: impl Error + Send + Sync + 'static) -> StepError {
        StepError { phase: self.phase, source: Box::new(error) }
    }
}
