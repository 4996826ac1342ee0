//! What the endpoints answer from: the plugins, the job types they said they offer when image-builder started, and the
//! pipeline that builds jobs of these types.

use std::sync::Arc;

use axum::extract::FromRef;
use racetrack_core::JobType;
use racetrack_core::host::catalogue::{Catalogue, CatalogueError};
use racetrack_service::{Service, plugin_endpoints};

use crate::engine::bundle::PlatformVersion;
use crate::pipeline::{BuildPipeline, PipelineError};
use crate::settings::BuildConfig;

/// The state of a running image-builder.
#[derive(Clone, Debug)]
pub struct App {
    /// What it has in common with other components.
    pub service: Service,
    /// How jobs are made.
    pub job_types: Arc<Catalogue<JobType>>,
    /// What makes them.
    pub builds: BuildPipeline,
}

/// Why image-builder cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A plugin fails, or two offer the same job type.
    #[error(transparent)]
    JobTypes(#[from] CatalogueError),
    /// Nothing can be built.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

impl App {
    /// Asks every plugin for its job types, and makes the folders of the pipeline.
    ///
    /// # Errors
    /// [`AppError`] when a plugin fails, two offer the same, or a folder cannot be used.
    pub async fn open(service: Service, config: BuildConfig) -> Result<Self, AppError> {
        let job_types = Arc::new(plugin_endpoints::collect_job_types(&service.hooks).await?);
        let platform = PlatformVersion::of_tag(&service.identity.docker_tag);
        let builds = BuildPipeline::open(config, service.hooks.clone(), Arc::clone(&job_types), platform)?;
        Ok(Self { service, job_types, builds })
    }
}

impl FromRef<App> for Service {
    fn from_ref(app: &App) -> Self {
        app.service.clone()
    }
}

impl FromRef<App> for Arc<Catalogue<JobType>> {
    fn from_ref(app: &App) -> Self {
        Self::clone(&app.job_types)
    }
}

impl FromRef<App> for BuildPipeline {
    fn from_ref(app: &App) -> Self {
        app.builds.clone()
    }
}
