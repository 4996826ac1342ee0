//! The lifecycle component: it answers the API, deploys jobs to infrastructure targets and watches them.
//!
//! What it serves today is health, metrics and the plugin API. **Nobody is asked who they are**: callers are not
//! authenticated yet, so lifecycle refuses to listen on an address that other machines can reach, unless the setting
//! `allow-unauthenticated-remote-access` says that something else guards it.
//!
//! [`router()`] has every route on one page, [`app`] what the endpoints answer from.

pub mod app;
mod endpoints;
pub mod router;
pub mod settings;

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use axum::Router;
use racetrack_core::plan::ComponentPlan;
use racetrack_service::config::Config;
use racetrack_service::{Component, Service};

pub use app::App;
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

    async fn open(service: Service, _: LifecycleSettings) -> Result<Router, Box<dyn Error + Send + Sync>> {
        Ok(router(App::open(service).await?))
    }
}
