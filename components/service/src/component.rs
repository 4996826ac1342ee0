//! What makes a component, and what it is given to work with.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;

use axum::Router;

use crate::HookRuntime;
use crate::config::Config;
use crate::identity::Identity;
use crate::kept_config::KeptConfig;
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::settings::Settings;

/// A component: a server with plugins.
pub trait Component: 'static {
    /// The settings it has besides those of every component.
    type Settings: Settings;

    /// One sentence for `--help`.
    const ABOUT: &'static str;

    /// The version of the component's crate.
    const VERSION: &'static str;

    /// Where it listens unless told otherwise.
    const HTTP_ADDRESS: SocketAddr;

    /// Refuses a configuration that fits its types but must not be started with. Runs before anything is opened.
    ///
    /// # Errors
    /// The reason, and what to change.
    fn check(config: &Config<Self::Settings>) -> Result<(), Box<dyn Error + Send + Sync>> {
        let _ = config;
        Ok(())
    }

    /// The configurations that plugins were given while the component ran. They go before those of the configuration file.
    /// Read before the plugins are constructed.
    ///
    /// # Errors
    /// What keeps them from being read, and what to do about it.
    fn kept_configs(settings: &Self::Settings) -> Result<Vec<KeptConfig>, Box<dyn Error + Send + Sync>> {
        let _ = settings;
        Ok(Vec::new())
    }

    /// Asks the plugins what they offer and makes the routes. Nothing is served before this is done.
    ///
    /// # Errors
    /// Whatever keeps the component from serving.
    fn open(
        service: Service,
        settings: Self::Settings,
    ) -> impl Future<Output = Result<Router, Box<dyn Error + Send + Sync>>> + Send;
}

/// What a running component has in common with the others.
#[derive(Clone, Debug)]
pub struct Service {
    /// Who this is.
    pub identity: Identity,
    /// The plugins.
    pub hooks: HookRuntime,
    /// Whether requests are welcome.
    pub readiness: Readiness,
    /// What has been counted.
    pub metrics: Metrics,
    /// Where it listens; with the port that the system chose, if it was to choose.
    pub http_address: SocketAddr,
}
