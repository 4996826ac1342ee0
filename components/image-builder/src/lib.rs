//! The image-builder component: it turns the source of a job into something runnable.
//!
//! What it serves today is health, metrics, and what its plugins offer.

pub mod app;
mod endpoints;
pub mod router;

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use axum::Router;
use racetrack_core::plan::ComponentPlan;
use racetrack_service::settings::NoSettings;
use racetrack_service::{Component, Service};

pub use app::App;
pub use router::router;

/// Runs image-builder with the plugins linked into this binary, which must be those that `plan` names.
pub fn main(plan: &'static ComponentPlan) -> ExitCode {
    racetrack_service::run::<ImageBuilder>(plan)
}

/// The component.
#[derive(Debug)]
pub struct ImageBuilder;

impl Component for ImageBuilder {
    type Settings = NoSettings;

    const ABOUT: &'static str =
        "Turns the source of jobs into images, by the job types that its plugins provide.";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const HTTP_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7201);

    async fn open(service: Service, _: NoSettings) -> Result<Router, Box<dyn Error + Send + Sync>> {
        Ok(router(App::open(service).await?))
    }
}
