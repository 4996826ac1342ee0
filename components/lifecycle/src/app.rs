//! What the endpoints answer from: the plugins and what they offer, the store, and who calls.

use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::FromRef;
use racetrack_core::catalogue::CatalogueError;
use racetrack_service::Service;
use racetrack_service::health::Hold;
use racetrack_service::hooks::Replacement;
use racetrack_service::kept_config::BadKeptConfig;
use racetrack_service::peer::Peer;
use racetrack_service::upload::{UploadLimits, Uploads};
use racetrack_store::{Store, StoreError};

use crate::auth::{
    Attempts, AuthKey, AuthKeyError, Authenticator, Credential, FirstAdministratorError, LogGate, Passwords,
    RecentReaders, Registrations, ensure_first_administrator,
};
use crate::call_places::{CallLimits, CallPlaces};
use crate::deployment::{Deletions, ImageBuilder, recovery};
use crate::infrastructure::Target;
use crate::jobs::RenderedJobs;
use crate::monitor;
use crate::offers::{Offers, TargetChoiceError};
use crate::plugin_config::{KeptConfigs, PluginConfigs};
use crate::private_folder;
use crate::proxy::JobProxy;
use crate::realtime::live_connections::{LiveConnectionLimits, LiveConnections};
use crate::realtime::log_streaming::{Admit, CurrentTargets, LogSource, LogStreaming};
use crate::retention::{self, Retention};
use crate::settings::LifecycleConfig;
use crate::storage_check::StorageCheck;

/// How long a deployment waits for room for its source. Clients in use give up after a minute.
const UPLOAD_WAIT: Duration = Duration::from_secs(30);

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
    pub(crate) retention: Retention,
    pub(crate) storage_check: StorageCheck,
    offers: CurrentOffers,
}

/// What the plugins offer now: it changes when a plugin is configured anew.
type CurrentOffers = Arc<RwLock<Arc<Offers>>>;

/// Why lifecycle cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A plugin fails, or two offer the same.
    #[error(transparent)]
    Offers(#[from] CatalogueError),
    /// The same, for a plugin with a configuration that it was given at run time.
    #[error(transparent)]
    Kept(#[from] BadKeptConfig),
    /// There is nowhere to keep anything.
    #[error("cannot make the state folder {}", path.display())]
    StateFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no key for tokens.
    #[error(transparent)]
    AuthKey(#[from] AuthKeyError),
    /// There is nobody who could log in.
    #[error(transparent)]
    FirstAdministrator(Box<dyn std::error::Error + Send + Sync>),
}

impl App {
    /// Opens the store, asks every plugin what it offers, makes the first administrator if there is none, takes up what an
    /// earlier lifecycle was torn from, and begins to watch the jobs.
    ///
    /// # Errors
    /// [`AppError`]
    pub async fn open(service: Service, config: LifecycleConfig) -> Result<Self, AppError> {
        let kept = KeptConfigs::new(&config.state_folder);
        let offers = Offers::collect(&service.hooks).await;
        let offers = offers.map_err(|error| blame_kept(&service, &kept, error))?;
        make_state_folder(&config.state_folder)?;
        let store = Store::open_alone(&config.database_url, &description(&service)).await?;
        let opened = Self::open_with(service, config, (kept, offers), store.clone()).await;
        if opened.is_err() {
            // The next one need not wait for the lease of this one.
            store.close().await;
        }
        opened
    }

    async fn open_with(
        service: Service,
        config: LifecycleConfig,
        (kept, offers): (KeptConfigs, Offers),
        store: Store,
    ) -> Result<Self, AppError> {
        let key = match &config.auth_key {
            Some(key) => key.clone(),
            None => AuthKey::load_or_create(&config.state_folder.join("auth.key"))?,
        };
        let passwords = Passwords::new();
        if config.auth_required {
            let password =
                config.admin_password.as_ref().map(racetrack_service::setting_value::AuthToken::expose);
            ensure_first_administrator(&store, &passwords, password).await?;
        }
        let offers: CurrentOffers = Arc::new(RwLock::new(Arc::new(offers)));
        let component_token = config.component_auth_token.clone();
        let authenticator = Arc::new(Authenticator::new(key, config.auth_required, component_token.clone()));
        let log_gate = LogGate {
            store: store.clone(),
            authenticator: Arc::clone(&authenticator),
            recent: Arc::new(RecentReaders::default()),
            live_logs: config.live_logs,
        };
        let admit = admit(log_gate.clone());
        let logs = LogStreaming::new(log_source(&store, &offers, &service, admit));
        let app = Self(Arc::new(State {
            authenticator,
            log_gate,
            passwords,
            attempts: Attempts::new(config.free_password_attempts),
            registrations: Registrations::new(config.max_registrations_per_peer),
            image_builder: ImageBuilder::new(
                config.image_builder_url.clone(),
                component_token,
                config.image_builder_start_time_limit,
            ),
            uploads: uploads(&config),
            rendered_jobs: RenderedJobs::default(),
            proxy: JobProxy::new(),
            call_places: CallPlaces::new(CallLimits {
                calls: config.max_calls_per_caller.get(),
                tunnels: config.max_tunnels_per_caller.get(),
            }),
            deletions: Deletions::default(),
            retention: Retention::default(),
            storage_check: StorageCheck::default(),
            logs,
            live_connections: LiveConnections::new(LiveConnectionLimits {
                all: config.max_live_connections.get(),
                of_peer: config.max_live_connections_per_peer.get(),
            }),
            plugin_configs: PluginConfigs::new(kept),
            offers,
            service,
            config,
            store,
        }));
        recovery::recover(&app).await?;
        monitor::start(&app);
        retention::start(&app);
        tokio::spawn(close_at_end(app.clone()));
        tokio::spawn(give_up_when_taken_over(app.clone()));
        let last = app.service.readiness.hold_to_the_end();
        tokio::spawn(close_store_at_end(app.clone(), last));
        Ok(app)
    }

    /// What the plugins offer now.
    pub(crate) fn offers(&self) -> Arc<Offers> {
        current(&self.offers)
    }

    /// Puts other plugins in place, with what they offer.
    pub(crate) fn replace_plugins(&self, replacement: Replacement, offers: Offers) {
        let mut current = self.offers.write().unwrap_or_else(PoisonError::into_inner);
        self.service.hooks.replace(replacement);
        *current = Arc::new(offers);
    }

    /// The infrastructure target of this name.
    pub(crate) fn target(&self, name: &str) -> Result<Target, TargetChoiceError> {
        Target::find(&self.service.hooks, &self.offers(), name)
    }
}

/// Who uses the database, for whoever finds it in use.
fn description(service: &Service) -> String {
    let system = rustix::system::uname();
    let host = system.nodename().to_string_lossy();
    let (process, address) = (std::process::id(), service.http_address);
    format!("{} on {host} (process {process}, listening on {address})", service.identity.component)
}

fn uploads(config: &LifecycleConfig) -> Uploads {
    let limits =
        UploadLimits { request: config.max_request_size, all: config.max_uploads_size, wait: UPLOAD_WAIT };
    Uploads::new(config.state_folder.clone(), limits)
}

fn make_state_folder(path: &Path) -> Result<(), AppError> {
    private_folder::make(path).map_err(|source| AppError::StateFolder { path: path.to_owned(), source })
}

fn current(offers: &CurrentOffers) -> Arc<Offers> {
    Arc::clone(&offers.read().unwrap_or_else(PoisonError::into_inner))
}

fn log_source(store: &Store, offers: &CurrentOffers, service: &Service, admit: Admit) -> LogSource {
    let offers = Arc::clone(offers);
    let targets: CurrentTargets = Arc::new(move || Arc::clone(&current(&offers).targets));
    LogSource::new(store.clone(), targets, service.hooks.clone(), admit)
}

/// Lets those follow logs who may, as the gate says.
fn admit(gate: LogGate) -> Admit {
    Arc::new(move |client, name, version| {
        let headers = &client.request.headers;
        let peer = Peer::of(&client.request.extensions);
        let credential = Credential::of_connection(headers, client.auth);
        let (gate, name, version) = (gate.clone(), name.to_owned(), version.to_owned());
        Box::pin(async move { gate.admit(credential?, peer, &name, &version).await })
    })
}

/// When lifecycle stops, says so to those who follow logs: they would connect again and wait for ever.
async fn close_at_end(app: App) {
    let hold = app.service.readiness.hold();
    app.service.readiness.stopping().await;
    app.logs.close().await;
    drop(hold);
}

/// Ends this process when another one has taken over the database: what is in memory here, such as who may do what, is out of date.
async fn give_up_when_taken_over(app: App) {
    app.service.readiness.fail(app.store.taken_over().await);
}

/// Lets others have the database as soon as it is needed no more.
async fn close_store_at_end(app: App, _hold: Hold) {
    app.service.readiness.finished().await;
    app.store.close().await;
}

/// Names the file, if what the plugin was given there may be to blame.
fn blame_kept(service: &Service, kept: &KeptConfigs, error: CatalogueError) -> AppError {
    let registry = service.hooks.registry();
    let plugins = registry.entries().iter().map(|entry| &entry.manifest.name);
    let mut concerned = plugins.filter(|plugin| error.concerns(plugin.as_str()));
    match concerned.find(|plugin| kept.file(plugin.as_str()).exists()) {
        Some(plugin) => {
            let file = kept.file(plugin.as_str());
            BadKeptConfig { plugin: plugin.clone(), file, source: error.into() }.into()
        }
        None => error.into(),
    }
}

impl Deref for App {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

impl From<FirstAdministratorError> for AppError {
    fn from(error: FirstAdministratorError) -> Self {
        Self::FirstAdministrator(error.into())
    }
}

impl FromRef<App> for Service {
    fn from_ref(app: &App) -> Self {
        app.service.clone()
    }
}
