//! The lifecycle component: it answers the API, deploys jobs to infrastructure targets, watches them, and hands calls to
//! them.
//!
//! # Where to look
//! - [`router()`] has every route on one page, with what each asks of its caller; [`auth`] is how that is checked.
//! - [`app`] is what the endpoints answer from; [`startup`] puts it together and begins what goes on beside them.
//! - `document` is what the `OpenAPI` document says, as far as no single handler knows it.
//! - `plugin_config` gives plugins another configuration while lifecycle runs.
//! - `deployment` is the way of a job from a request to a process that answers, `monitor` what is done at intervals,
//!   `retention` what becomes of images that no job needs.

pub mod app;
mod audit;
pub mod auth;
mod call_places;
mod clock;
mod deployment;
mod document;
mod endpoints;
mod extract;
mod infrastructure;
mod jobs;
mod json_list;
mod monitor;
mod offers;
mod origins;
mod plugin_config;
mod private_folder;
pub mod proxy;
pub mod realtime;
mod request_error;
mod retention;
pub mod router;
pub mod routes;
pub mod settings;
mod shutdown;
pub mod startup;
mod storage_check;
mod turns;
mod visibility;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use axum::Router;
use racetrack_core::plan::ComponentPlan;
use racetrack_service::config::Config;
use racetrack_service::kept_config::KeptConfig;
use racetrack_service::{Component, Service};

pub use app::App;
use plugin_config::ConfigFolder;
pub use router::router;
use settings::LifecycleSettings;

/// Runs lifecycle with the plugins linked into this binary, which must be those that `plan` names.
pub fn main(plan: &'static ComponentPlan) -> ExitCode {
    racetrack_service::run::<Lifecycle>(plan)
}

/// The component.
#[derive(Debug)]
pub struct Lifecycle;

impl Component for Lifecycle {
    type Settings = LifecycleSettings;

    const ABOUT: &'static str =
        "Deploys jobs to infrastructure targets, watches them, and answers the API of Racetrack.";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const HTTP_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7202);

    fn check(config: &Config<LifecycleSettings>) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(settings::check(config)?)
    }

    fn kept_configs(settings: &LifecycleSettings) -> Result<Vec<KeptConfig>, Box<dyn Error + Send + Sync>> {
        Ok(ConfigFolder::new(&settings.state_folder()).load()?)
    }

    async fn open(
        service: Service,
        settings: LifecycleSettings,
    ) -> Result<Router, Box<dyn Error + Send + Sync>> {
        let config = settings.with_defaults(service.http_address);
        Ok(router(startup::open(service, config).await?))
    }
}
