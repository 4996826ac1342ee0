//! What the endpoints answer from: the plugins and what they offer, the store, and who calls.

use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRef;
use racetrack_service::Service;
use racetrack_service::hooks::Replacement;
use racetrack_service::upload::Uploads;
use racetrack_store::Store;

use crate::auth::{Attempts, Authenticator, LogGate, Passwords, Registrations};
use crate::call_places::CallPlaces;
use crate::deployment::{Deletions, ImageBuilder};
use crate::infrastructure::Target;
use crate::jobs::RenderedJobs;
use crate::offers::{CurrentOffers, Offers, TargetChoiceError};
use crate::plugin_config::PluginConfigs;
use crate::proxy::JobProxy;
use crate::realtime::live_connections::LiveConnections;
use crate::realtime::log_streaming::LogStreaming;
use crate::retention::RetentionTrigger;
use crate::settings::LifecycleConfig;
use crate::storage_check::StorageCheck;

/// The state of a running lifecycle. Clones share it.
#[derive(Clone, Debug)]
pub struct App(Arc<State>);

/// What an [`App`] shares.
#[derive(Debug)]
pub struct State {
    /// What it has in common with other components.
    pub service: Service,
    pub(crate) config: LifecycleConfig,
    /// Everything that outlives this process.
    pub store: Store,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) log_gate: LogGate,
    pub(crate) passwords: Passwords,
    pub(crate) attempts: Attempts,
    pub(crate) registrations: Registrations,
    pub(crate) image_builder: ImageBuilder,
    pub(crate) uploads: Uploads,
    pub(crate) rendered_jobs: RenderedJobs,
    pub(crate) proxy: JobProxy,
    pub(crate) call_places: CallPlaces,
    pub(crate) logs: LogStreaming,
    pub(crate) live_connections: LiveConnections,
    pub(crate) plugin_configs: PluginConfigs,
    pub(crate) deletions: Deletions,
    pub(crate) retention: RetentionTrigger,
    pub(crate) storage_check: StorageCheck,
    pub(crate) offers: CurrentOffers,
}

impl App {
    pub(crate) fn new(state: State) -> Self {
        Self(Arc::new(state))
    }

    /// What the plugins offer now.
    pub(crate) fn offers(&self) -> Arc<Offers> {
        self.offers.get()
    }

    /// Puts other plugins in place, with what they offer.
    pub(crate) fn replace_plugins(&self, replacement: Replacement, offers: Offers) {
        self.offers.replace(&self.service.hooks, replacement, offers);
    }

    /// The infrastructure target of this name.
    pub(crate) fn target(&self, name: &str) -> Result<Target, TargetChoiceError> {
        Target::find(&self.service.hooks, &self.offers(), name)
    }
}

impl Deref for App {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl FromRef<App> for Service {
    fn from_ref(app: &App) -> Self {
        app.service.clone()
    }
}
