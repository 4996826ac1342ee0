//! Starts lifecycle: opens the store, puts together what the endpoints answer from, and begins what goes on beside them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use racetrack_core::host::catalogue::CatalogueError;
use racetrack_service::Service;
use racetrack_service::kept_config::BadKeptConfig;
use racetrack_service::peer::Peer;
use racetrack_service::setting_value::AuthToken;
use racetrack_service::upload::{UploadLimits, Uploads};
use racetrack_store::{Store, StoreError};

use crate::app::{App, State};
use crate::auth::{
    Attempts, AuthKey, AuthKeyError, Authenticator, Credential, FirstAdministratorError, LogGate, Passwords,
    RecentReaders, Registrations, ensure_first_administrator,
};
use crate::call_places::{CallLimits, CallPlaces};
use crate::deployment::{Deletions, ImageBuilder, recovery};
use crate::jobs::RenderedJobs;
use crate::offers::{CurrentOffers, Offers};
use crate::plugin_config::{ConfigFolder, PluginConfigs};
use crate::proxy::JobProxy;
use crate::realtime::live_connections::{LiveConnectionLimits, LiveConnections};
use crate::realtime::log_streaming::{Admit, CurrentTargets, LogSource, LogStreaming};
use crate::retention::{self, RetentionTrigger};
use crate::settings::LifecycleConfig;
use crate::storage_check::StorageCheck;
use crate::{monitor, private_folder, shutdown};

/// How long a deployment waits for room for its source. Clients in use give up after a minute.
const UPLOAD_WAIT: Duration = Duration::from_secs(30);

/// Why lifecycle cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// A plugin fails, or two offer the same.
    #[error(transparent)]
    Offers(#[from] CatalogueError),
    /// The same, for a plugin with a configuration that it was given at run time.
    #[error(transparent)]
    StoredConfig(#[from] BadKeptConfig),
    /// There is nowhere to store anything.
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

/// Opens the store, asks every plugin what it offers, makes the first administrator if there is none, takes up what an
/// earlier lifecycle was torn from, and begins to watch the jobs.
///
/// # Errors
/// [`StartupError`]
pub async fn open(service: Service, config: LifecycleConfig) -> Result<App, StartupError> {
    let configs = ConfigFolder::new(&config.state_folder);
    let offers = Offers::collect(&service.hooks).await;
    let offers = offers.map_err(|error| blame_config(&service, &configs, error))?;
    make_state_folder(&config.state_folder)?;
    let store = Store::open_alone(&config.database_url, &description(&service)).await?;
    let opened = open_with(service, config, (configs, offers), store.clone()).await;
    if opened.is_err() {
        // The next one need not wait for the lease of this one.
        store.close().await;
    }
    opened
}

async fn open_with(
    service: Service,
    config: LifecycleConfig,
    (configs, offers): (ConfigFolder, Offers),
    store: Store,
) -> Result<App, StartupError> {
    let key = match &config.auth_key {
        Some(key) => key.clone(),
        None => AuthKey::load_or_create(&config.state_folder.join("auth.key"))?,
    };
    let passwords = Passwords::new();
    if config.auth_required {
        let password = config.admin_password.as_ref().map(AuthToken::expose);
        ensure_first_administrator(&store, &passwords, password).await?;
    }
    let offers = CurrentOffers::new(offers);
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
    let app = App::new(State {
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
        retention: RetentionTrigger::default(),
        storage_check: StorageCheck::default(),
        logs,
        live_connections: LiveConnections::new(LiveConnectionLimits {
            all: config.max_live_connections.get(),
            of_peer: config.max_live_connections_per_peer.get(),
        }),
        plugin_configs: PluginConfigs::new(configs),
        offers,
        service,
        config,
        store,
    });
    recovery::recover(&app).await?;
    monitor::start(&app);
    retention::start(&app);
    shutdown::prepare(&app);
    Ok(app)
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

fn make_state_folder(path: &Path) -> Result<(), StartupError> {
    private_folder::make(path).map_err(|source| StartupError::StateFolder { path: path.to_owned(), source })
}

fn log_source(store: &Store, offers: &CurrentOffers, service: &Service, admit: Admit) -> LogSource {
    let offers = offers.clone();
    let targets: CurrentTargets = Arc::new(move || Arc::clone(&offers.get().targets));
    LogSource::new(store.clone(), targets, service.hooks.clone(), admit)
}

/// Lets those follow logs who may, as the gate says.
fn admit(gate: LogGate) -> Admit {
    Arc::new(move |client, name, version| {
        let headers = &client.request.headers;
        let peer = Peer::of(&client.request.extensions);
        let credential = Credential::of_connection(headers, client.auth);
        let (gate, name, version) = (gate.clone(), name.to_owned(), version.to_owned());
        Box::pin(async move { Ok(gate.admit(credential?, peer, &name, &version).await?) })
    })
}

/// Names the file, if what the plugin was given there may be to blame.
fn blame_config(service: &Service, configs: &ConfigFolder, error: CatalogueError) -> StartupError {
    let registry = service.hooks.registry();
    let plugins = registry.entries().iter().map(|entry| &entry.manifest.name);
    let mut concerned = plugins.filter(|plugin| error.concerns(plugin.as_str()));
    match concerned.find(|plugin| configs.file(plugin.as_str()).exists()) {
        Some(plugin) => {
            let file = configs.file(plugin.as_str());
            BadKeptConfig { plugin: plugin.clone(), file, source: error.into() }.into()
        }
        None => error.into(),
    }
}

impl From<FirstAdministratorError> for StartupError {
    fn from(error: FirstAdministratorError) -> Self {
        Self::FirstAdministrator(error.into())
    }
}
