//! The settings that lifecycle has besides those of every component.

use std::net::SocketAddr;

use clap::Args;
use racetrack_service::config::Config;
use racetrack_service::settings::Settings;
use serde::Deserialize;

/// Lifecycle's own settings.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[command(next_help_heading = "Configuration")]
pub struct LifecycleSettings {
    /// Whether to listen where other machines can reach it, although callers are not authenticated: true or false
    /// [default: false]
    #[arg(long, env, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub allow_unauthenticated_remote_access: Option<bool>,
}

/// Lifecycle would be open to everybody.
#[derive(Debug, thiserror::Error)]
#[error(
    "refusing to listen on {address}: other machines could reach it, and callers are not authenticated; listen on \
     127.0.0.1, or set allow-unauthenticated-remote-access when something else guards it"
)]
pub struct OpenToEverybody {
    /// Where it was to listen.
    pub address: SocketAddr,
}

impl Settings for LifecycleSettings {
    fn or(self, other: Self) -> Self {
        Self {
            allow_unauthenticated_remote_access: self
                .allow_unauthenticated_remote_access
                .or(other.allow_unauthenticated_remote_access),
        }
    }
}

/// Refuses an address that other machines can reach, unless that is wanted.
pub(crate) fn check(config: &Config<LifecycleSettings>) -> Result<(), OpenToEverybody> {
    let address = config.service.http_address;
    let is_wanted = config.component.allow_unauthenticated_remote_access.unwrap_or(false);
    if address.ip().to_canonical().is_loopback() || is_wanted {
        Ok(())
    } else {
        Err(OpenToEverybody { address })
    }
}
