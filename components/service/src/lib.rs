//! What every Racetrack component shares, so that a component is only its settings, its state and its routes.
//!
//! A component implements [`Component`] and calls [`run`]. That reads the command line and the configuration file,
//! constructs the plugins and holds them to the plan, listens, serves, and stops cleanly on a signal.
//!
//! # Where to look
//! - Settings: [`settings`] are what people may set, [`setting_value`] what their values are; [`config`] is what comes of
//!   them.
//! - Hooks: [`HookRuntime`] calls the plugins on threads of their own, so that none of them can stop the server.
//! - Deployments: [`phase`] is what is being done for one.
//! - Sources of jobs: [`upload`] takes requests with one, [`source_archive`] reads it.
//! - HTTP: [`http`] is around every route, [`ApiError`] is the one shape of errors, [`extract`] takes requests apart,
//!   [`peer`] is where requests come from, [`health`], [`metrics_endpoint`] and [`plugin_endpoints`] are the endpoints
//!   that components have in common. [`metrics`] holds what is counted.

#![expect(clippy::unused_async, reason = "axum wants handlers to be async")]

pub mod accept_error;
mod allocator;
pub mod api_error;
mod cli;
pub mod component;
pub mod config;
pub mod connection_limits;
pub mod extract;
pub mod health;
pub mod hooks;
pub mod http;
mod identity;
pub mod json_body;
pub mod kept_config;
pub mod long_text;
pub mod metrics;
pub mod metrics_endpoint;
pub mod network;
mod observability;
mod open_files;
#[cfg(unix)]
mod orphans;
pub mod peer;
pub mod phase;
pub mod plugin_endpoints;
mod plugin_listing;
mod readiness;
mod run;
mod server;
pub mod setting_value;
pub mod settings;
pub mod source_archive;
mod terminal;
pub mod upload;

pub use api_error::ApiError;
pub use component::{Component, Service};
pub use hooks::HookRuntime;
pub use identity::Identity;
pub use run::run;
pub use server::StalledBody;
