//! What the endpoints answer from: the plugins, and what they said they offer when lifecycle started.

use std::sync::Arc;

use axum::extract::FromRef;
use racetrack_core::catalogue::{Catalogue, CatalogueError};
use racetrack_core::{Hook, InfrastructureTarget, JobType};
use racetrack_service::{Service, plugin_endpoints};

/// The state of a running lifecycle.
#[derive(Clone, Debug)]
pub struct App {
    /// What it has in common with other components.
    pub service: Service,
    /// How jobs are made.
    pub job_types: Arc<Catalogue<JobType>>,
    /// Where jobs run.
    pub infrastructure_targets: Arc<Catalogue<InfrastructureTarget>>,
}

impl App {
    /// Asks every plugin for its job types and infrastructure targets.
    ///
    /// # Errors
    /// [`CatalogueError`] when a plugin fails, or two offer the same.
    pub async fn open(service: Service) -> Result<Self, CatalogueError> {
        let hooks = &service.hooks;
        let job_types = plugin_endpoints::collect_job_types(hooks).await?;
        let hook = Hook::InfrastructureTargets;
        let targets = hooks.call_every(hook, Arc::new(()), |plugin, ()| plugin.infrastructure_targets());
        let targets = Catalogue::collect(hooks.registry(), hook, targets.await)?;
        Ok(Self { service, job_types: Arc::new(job_types), infrastructure_targets: Arc::new(targets) })
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
