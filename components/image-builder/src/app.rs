//! What the endpoints answer from: the plugins, and the job types they said they offer when image-builder started.

use std::sync::Arc;

use axum::extract::FromRef;
use racetrack_core::JobType;
use racetrack_core::catalogue::{Catalogue, CatalogueError};
use racetrack_service::{Service, plugin_endpoints};

/// The state of a running image-builder.
#[derive(Clone, Debug)]
pub struct App {
    /// What it has in common with other components.
    pub service: Service,
    /// How jobs are made.
    pub job_types: Arc<Catalogue<JobType>>,
}

impl App {
    /// Asks every plugin for its job types.
    ///
    /// # Errors
    /// [`CatalogueError`] when a plugin fails, or two offer the same.
    pub async fn open(service: Service) -> Result<Self, CatalogueError> {
        let job_types = Arc::new(plugin_endpoints::collect_job_types(&service.hooks).await?);
        Ok(Self { service, job_types })
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
