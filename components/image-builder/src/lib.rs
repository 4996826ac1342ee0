//! The image-builder component: it turns the source of a job into something runnable.
//!
//! A request to [build](pipeline) goes through these steps: the [source] is fetched into a workspace, the job type is
//! found and its plugin asked about the manifest, and an engine makes what an infrastructure can start. Whatever
//! happens, the log is kept and the workspace is removed.
//!
//! [`mod@router`] has every route on one page, [`app`] what the endpoints answer from.

pub mod app;
mod blocking;
mod build_log;
mod build_metrics;
mod endpoints;
mod engine;
mod folder;
mod identifier;
mod phases;
pub mod pipeline;
mod process;
mod request;
mod retention;
pub mod router;
pub mod settings;
pub mod source;
mod supervisor;
mod workspace;

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use axum::Router;
use racetrack_core::plan::ComponentPlan;
use racetrack_service::config::Config;
use racetrack_service::{Component, Service};

pub use app::App;
pub use router::router;
use settings::ImageBuilderSettings;

/// Runs image-builder with the plugins linked into this binary, which must be those that `plan` names.
pub fn main(plan: &'static ComponentPlan) -> ExitCode {
    if let Some(code) = supervisor::run_if_asked(std::env::args_os()) {
        return code;
    }
    supervisor::install();
    racetrack_service::run::<ImageBuilder>(plan)
}

/// Lifecycle may be another user, who starts jobs from what builds leave, so everybody may read what this process and the tools
/// of its builds make, whatever the umask that it was started with. What is private, as workspaces and build logs are, is made
/// with a mode of its own.
#[cfg(unix)]
fn open_to_all() {
    use rustix::fs::Mode;

    rustix::process::umask(Mode::WGRP | Mode::WOTH);
}

/// Whatever is made may be read here, unless the folder above it says otherwise.
#[cfg(not(unix))]
const fn open_to_all() {}

/// The component.
#[derive(Debug)]
pub struct ImageBuilder;

impl Component for ImageBuilder {
    type Settings = ImageBuilderSettings;

    const ABOUT: &'static str =
        "Turns the source of jobs into images, by the job types that its plugins provide.";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const HTTP_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7201);

    fn check(config: &Config<ImageBuilderSettings>) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(settings::check(config)?)
    }

    async fn open(
        service: Service,
        settings: ImageBuilderSettings,
    ) -> Result<Router, Box<dyn Error + Send + Sync>> {
        open_to_all();
        Ok(router(App::open(service, settings.with_defaults()).await?))
    }
}
