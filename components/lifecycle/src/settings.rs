//! The settings that lifecycle has besides those of every component, and what comes of them.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use racetrack_service::config::Config;
use racetrack_service::setting_value::{AuthToken, HttpUrl, Size};
use racetrack_service::settings::{Settings, Span};
use racetrack_service::source_archive::ArchiveLimits;
use racetrack_store::DatabaseUrl;
use serde::{Deserialize, Deserializer};

use crate::auth::{AuthKey, LiveLogs};

/// Lifecycle's own settings.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[command(next_help_heading = "Configuration")]
pub struct LifecycleSettings {
    /// The folder where lifecycle keeps what it must not lose: its database, unless that is elsewhere, the key of tokens,
    /// and the configurations of plugins that were changed while it ran [default: .racetrack-run/lifecycle]
    #[arg(long, env, value_name = "FOLDER")]
    pub state_folder: Option<PathBuf>,

    /// Where everything else is kept: `sqlite:PATH`, or `postgres://USER:PASSWORD@HOST/NAME`
    /// [default: lifecycle.sqlite in the state folder]
    #[arg(long, env, value_name = "URL")]
    #[serde(deserialize_with = "parsed")]
    pub database_url: Option<DatabaseUrl>,

    /// Whether callers are asked who they are; without that, everybody may do everything, and lifecycle listens on
    /// addresses of this machine only: true or false [default: true]
    #[arg(long, env, value_name = "BOOL")]
    pub auth_required: Option<bool>,

    /// The key that tokens are signed with, 32 bytes at least [default: made at the first start, in the state folder]
    #[arg(long, env, value_name = "KEY", value_parser = clap::value_parser!(AuthKey))]
    pub auth_key: Option<AuthKey>,

    /// The password of the first administrator, `admin`, who is made when there is no user yet
    /// [default: a random one, shown once on standard error]
    #[arg(long, env, value_name = "PASSWORD")]
    pub admin_password: Option<AuthToken>,

    /// Who may make an account: `open` lets everybody in who registers, `approval` when an administrator says so, and
    /// `closed` takes no registrations [default: approval]
    #[arg(long, env, value_name = "MODE")]
    pub registration: Option<Registration>,

    /// How many accounts one address may make in an hour; all together make ten times as many [default: 10]
    #[arg(long, env, value_name = "NUMBER")]
    pub max_registrations_per_peer: Option<NonZeroU32>,

    /// How many wrong passwords of an account may be tried without a delay; of an address, twice as many [default: 10]
    #[arg(long, env, value_name = "NUMBER")]
    pub free_password_attempts: Option<u32>,

    /// How many clients may be connected to follow logs or to hear of changes [default: 1000]
    #[arg(long, env, value_name = "NUMBER")]
    pub max_live_connections: Option<NonZeroUsize>,

    /// How many of them may be of one address, unless it is one of this machine [default: 100]
    #[arg(long, env, value_name = "NUMBER")]
    pub max_live_connections_per_peer: Option<NonZeroUsize>,

    /// How many calls of jobs one caller may have under way: a user, an ESC, a job family; or an address, unless it is one of
    /// this machine, where callers are unknown [default: 1000]
    #[arg(long, env, value_name = "NUMBER")]
    pub max_calls_per_caller: Option<NonZeroUsize>,

    /// How many of them may be tunnels, as those of `WebSockets` are [default: 250]
    #[arg(long, env, value_name = "NUMBER")]
    pub max_tunnels_per_caller: Option<NonZeroUsize>,

    /// How long the token of a login is good, such as 12h or 30days [default: for ever]
    #[arg(long, env, value_name = "DURATION")]
    pub user_token_lifetime: Option<Span>,

    /// How long a session is good that a user logs in to, such as 12h or 7days; until then the cookie is good, too, by which
    /// a browser calls jobs [default: 12h]
    #[arg(long, env, value_name = "DURATION")]
    pub session_lifetime: Option<Span>,

    /// Who may follow the log of a job without a token on that connection, as the client of the command line does: token
    /// (nobody), recent (whoever has asked for the job in the last 10 s from the same address, with a token that may read
    /// it), or open (everybody) [default: recent]
    #[arg(long, env, value_name = "WHO", hide_possible_values = true)]
    pub live_logs: Option<LiveLogs>,

    /// The secret that lifecycle and image-builder show each other, the same in both [default: none]
    #[arg(long, env, value_name = "TOKEN")]
    pub component_auth_token: Option<AuthToken>,

    /// Where image-builder is [default: `http://127.0.0.1:7201`]
    #[arg(long, env, value_name = "URL")]
    pub image_builder_url: Option<HttpUrl>,

    /// How long a deployment waits for image-builder to answer that it is well, while it is being started for example
    /// [default: 30s]
    #[arg(long, env, value_name = "DURATION")]
    pub image_builder_start_time_limit: Option<Span>,

    /// Where users reach the jobs [default: /pub at the address it listens on]
    #[arg(long, env, value_name = "URL")]
    pub external_pub_url: Option<HttpUrl>,

    /// Where jobs reach each other [default: external-pub-url]
    #[arg(long, env, value_name = "URL")]
    pub internal_pub_url: Option<HttpUrl>,

    /// Where users reach lifecycle [default: /lifecycle at the address it listens on]
    #[arg(long, env, value_name = "URL")]
    pub external_lifecycle_url: Option<HttpUrl>,

    /// Where jobs go whose manifest names no infrastructure target [default: the only target there is]
    #[arg(long, env, value_name = "NAME")]
    pub infrastructure_target: Option<String>,

    /// Whether a deployed version may be deployed again without being forced: true or false [default: false]
    #[arg(long, env, value_name = "BOOL")]
    pub allow_job_overwrite: Option<bool>,

    /// The largest deployment that is taken, with the source of the job in it [default: 256Mi]
    #[arg(long, env, value_name = "BYTES")]
    pub max_request_size: Option<Size>,

    /// How large the sources may be together that were uploaded and are not with image-builder yet; they are in the state
    /// folder [default: 2Gi]
    #[arg(long, env, value_name = "BYTES")]
    pub max_uploads_size: Option<Size>,

    /// How large the source of a job in a deployment may be once it is unpacked, as in image-builder [default: 512Mi]
    #[arg(long, env, value_name = "BYTES")]
    pub max_unpacked_size: Option<Size>,

    /// How many files and folders the source of a job in a deployment may have, as in image-builder [default: 50000]
    #[arg(long, env, value_name = "NUMBER")]
    pub max_unpacked_entries: Option<usize>,

    /// The longest time until a job must answer that was deployed; infrastructure targets have shorter ones of their own
    /// [default: 30min]
    #[arg(long, env, value_name = "DURATION")]
    pub job_start_time_limit: Option<Span>,

    /// How often infrastructure targets are asked how their jobs do [default: 10s]
    #[arg(long, env, value_name = "DURATION")]
    pub monitor_interval: Option<Span>,

    /// Whether jobs that their target has lost are started again: true or false [default: false]
    #[arg(long, env, value_name = "BOOL")]
    pub reconcile_lost_jobs: Option<bool>,

    /// How often that is tried [default: 10min]
    #[arg(long, env, value_name = "DURATION")]
    pub reconciliation_interval: Option<Span>,

    /// Whether bundles, build logs and cached packages are removed that neither a job nor one of the last deployments needs:
    /// on or off [default: on]
    #[arg(long, env, value_name = "MODE", hide_possible_values = true)]
    pub retention: Option<Switch>,

    /// How many of the last deployments keep what they had built, whatever became of them [default: 20]
    #[arg(long, env, value_name = "NUMBER")]
    pub retention_deployments: Option<u32>,

    /// How often it is looked what is needed no longer, besides after a job was deleted [default: 10min]
    #[arg(long, env, value_name = "DURATION")]
    pub retention_interval: Option<Span>,
}

/// [`LifecycleSettings`] with their defaults filled in; what each one means is said there.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are documented in `LifecycleSettings`")]
pub struct LifecycleConfig {
    pub state_folder: PathBuf,
    pub database_url: DatabaseUrl,
    pub auth_required: bool,
    pub auth_key: Option<AuthKey>,
    pub admin_password: Option<AuthToken>,
    pub registration: Registration,
    pub max_registrations_per_peer: NonZeroU32,
    pub free_password_attempts: u32,
    pub max_live_connections: NonZeroUsize,
    pub max_live_connections_per_peer: NonZeroUsize,
    pub max_calls_per_caller: NonZeroUsize,
    pub max_tunnels_per_caller: NonZeroUsize,
    pub user_token_lifetime: Option<Duration>,
    pub session_lifetime: Duration,
    pub live_logs: LiveLogs,
    pub component_auth_token: Option<AuthToken>,
    pub image_builder_url: HttpUrl,
    pub image_builder_start_time_limit: Duration,
    pub external_pub_url: HttpUrl,
    pub internal_pub_url: HttpUrl,
    pub external_lifecycle_url: HttpUrl,
    pub infrastructure_target: Option<String>,
    pub allow_job_overwrite: bool,
    pub max_request_size: u64,
    pub max_uploads_size: u64,
    pub unpack_limits: ArchiveLimits,
    pub job_start_time_limit: Duration,
    pub monitor_interval: Duration,
    pub reconciliation_interval: Option<Duration>,
    pub retention_interval: Option<Duration>,
    pub retention_deployments: u32,
}

/// Whether something is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// It is
    #[default]
    On,
    /// It is not
    Off,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Registration {
    /// Everybody, and is let in at once
    Open,
    /// Everybody, and is let in when an administrator activates the account
    #[default]
    Approval,
    /// Nobody
    Closed,
}

/// Why lifecycle must not be started like this.
#[derive(Debug, thiserror::Error)]
pub enum RefusedSettings {
    /// Lifecycle would be open to everybody.
    #[error(
        "refusing to listen on {address}: other machines could reach it, and nobody is asked who they are; listen on \
         127.0.0.1, or leave auth-required on"
    )]
    OpenToEverybody {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// Components talk without encryption, as within a machine or a cluster.
    #[error(
        "image-builder-url {url} does not begin with http://, which is how lifecycle reaches image-builder"
    )]
    ImageBuilderUrl {
        /// The address.
        url: HttpUrl,
    },
}

impl Settings for LifecycleSettings {
    fn or(self, other: Self) -> Self {
        Self {
            state_folder: self.state_folder.or(other.state_folder),
            database_url: self.database_url.or(other.database_url),
            auth_required: self.auth_required.or(other.auth_required),
            auth_key: self.auth_key.or(other.auth_key),
            admin_password: self.admin_password.or(other.admin_password),
            registration: self.registration.or(other.registration),
            max_registrations_per_peer: self.max_registrations_per_peer.or(other.max_registrations_per_peer),
            free_password_attempts: self.free_password_attempts.or(other.free_password_attempts),
            max_live_connections: self.max_live_connections.or(other.max_live_connections),
            max_live_connections_per_peer: self
                .max_live_connections_per_peer
                .or(other.max_live_connections_per_peer),
            max_calls_per_caller: self.max_calls_per_caller.or(other.max_calls_per_caller),
            max_tunnels_per_caller: self.max_tunnels_per_caller.or(other.max_tunnels_per_caller),
            user_token_lifetime: self.user_token_lifetime.or(other.user_token_lifetime),
            session_lifetime: self.session_lifetime.or(other.session_lifetime),
            live_logs: self.live_logs.or(other.live_logs),
            component_auth_token: self.component_auth_token.or(other.component_auth_token),
            image_builder_url: self.image_builder_url.or(other.image_builder_url),
            image_builder_start_time_limit: self
                .image_builder_start_time_limit
                .or(other.image_builder_start_time_limit),
            external_pub_url: self.external_pub_url.or(other.external_pub_url),
            internal_pub_url: self.internal_pub_url.or(other.internal_pub_url),
            external_lifecycle_url: self.external_lifecycle_url.or(other.external_lifecycle_url),
            infrastructure_target: self.infrastructure_target.or(other.infrastructure_target),
            allow_job_overwrite: self.allow_job_overwrite.or(other.allow_job_overwrite),
            max_request_size: self.max_request_size.or(other.max_request_size),
            max_uploads_size: self.max_uploads_size.or(other.max_uploads_size),
            max_unpacked_size: self.max_unpacked_size.or(other.max_unpacked_size),
            max_unpacked_entries: self.max_unpacked_entries.or(other.max_unpacked_entries),
            job_start_time_limit: self.job_start_time_limit.or(other.job_start_time_limit),
            monitor_interval: self.monitor_interval.or(other.monitor_interval),
            reconcile_lost_jobs: self.reconcile_lost_jobs.or(other.reconcile_lost_jobs),
            reconciliation_interval: self.reconciliation_interval.or(other.reconciliation_interval),
            retention: self.retention.or(other.retention),
            retention_deployments: self.retention_deployments.or(other.retention_deployments),
            retention_interval: self.retention_interval.or(other.retention_interval),
        }
    }
}

impl LifecycleSettings {
    /// Where lifecycle keeps what it must not lose.
    pub(crate) fn state_folder(&self) -> PathBuf {
        self.state_folder.clone().unwrap_or_else(|| PathBuf::from(".racetrack-run/lifecycle"))
    }

    /// The settings with their defaults filled in, for a lifecycle that listens on `address`.
    pub fn with_defaults(self, address: SocketAddr) -> LifecycleConfig {
        const MINUTE: u64 = 60;
        const HUNDRED: NonZeroUsize = NonZeroUsize::new(100).expect("is not zero");
        const THOUSAND: NonZeroUsize = NonZeroUsize::new(1000).expect("is not zero");
        const TUNNELS: NonZeroUsize = NonZeroUsize::new(250).expect("is not zero");
        const TEN: NonZeroU32 = NonZeroU32::new(10).expect("is not zero");
        let span = |given: Option<Span>, seconds| given.map_or(Duration::from_secs(seconds), |span| span.0);
        let own = |path: &str| -> HttpUrl {
            let url = format!("http://{}{path}", reachable(address));
            url.parse().expect("an address and a path make a URL")
        };
        let state_folder = self.state_folder();
        let database = || DatabaseUrl::file(&state_folder.join("lifecycle.sqlite"));
        let external_pub_url = self.external_pub_url.unwrap_or_else(|| own("/pub"));
        let unpack_limits = ArchiveLimits::default();
        let reconciliation_interval = span(self.reconciliation_interval, 10 * MINUTE);
        LifecycleConfig {
            database_url: self.database_url.unwrap_or_else(database),
            auth_required: self.auth_required.unwrap_or(true),
            auth_key: self.auth_key,
            admin_password: self.admin_password,
            registration: self.registration.unwrap_or_default(),
            max_registrations_per_peer: self.max_registrations_per_peer.unwrap_or(TEN),
            free_password_attempts: self.free_password_attempts.unwrap_or(10),
            max_live_connections: self.max_live_connections.unwrap_or(THOUSAND),
            max_live_connections_per_peer: self.max_live_connections_per_peer.unwrap_or(HUNDRED),
            max_calls_per_caller: self.max_calls_per_caller.unwrap_or(THOUSAND),
            max_tunnels_per_caller: self.max_tunnels_per_caller.unwrap_or(TUNNELS),
            user_token_lifetime: self.user_token_lifetime.map(|span| span.0),
            session_lifetime: span(self.session_lifetime, 12 * 60 * MINUTE),
            live_logs: self.live_logs.unwrap_or_default(),
            component_auth_token: self.component_auth_token,
            image_builder_url: self.image_builder_url.unwrap_or_else(default_image_builder_url),
            image_builder_start_time_limit: span(self.image_builder_start_time_limit, 30),
            internal_pub_url: self.internal_pub_url.unwrap_or_else(|| external_pub_url.clone()),
            external_pub_url,
            external_lifecycle_url: self.external_lifecycle_url.unwrap_or_else(|| own("/lifecycle")),
            infrastructure_target: self.infrastructure_target,
            allow_job_overwrite: self.allow_job_overwrite.unwrap_or(false),
            max_request_size: self.max_request_size.map_or(256 << 20, |size| size.0),
            max_uploads_size: self.max_uploads_size.map_or(2 << 30, |size| size.0),
            unpack_limits: ArchiveLimits {
                size: self.max_unpacked_size.map_or(unpack_limits.size, |size| size.0),
                entries: self.max_unpacked_entries.unwrap_or(unpack_limits.entries),
            },
            job_start_time_limit: span(self.job_start_time_limit, 30 * MINUTE),
            monitor_interval: span(self.monitor_interval, 10),
            reconciliation_interval: self
                .reconcile_lost_jobs
                .unwrap_or(false)
                .then_some(reconciliation_interval),
            retention_interval: (self.retention.unwrap_or_default() == Switch::On)
                .then(|| span(self.retention_interval, 10 * MINUTE)),
            retention_deployments: self.retention_deployments.unwrap_or(20),
            state_folder,
        }
    }
}

/// Refuses what fits the types of the settings and must not be started.
pub(crate) fn check(config: &Config<LifecycleSettings>) -> Result<(), RefusedSettings> {
    let address = config.service.http_address;
    let settings = &config.component;
    if !settings.auth_required.unwrap_or(true) && !address.ip().to_canonical().is_loopback() {
        return Err(RefusedSettings::OpenToEverybody { address });
    }
    match &settings.image_builder_url {
        Some(url) if !url.is_plain() => Err(RefusedSettings::ImageBuilderUrl { url: url.clone() }),
        _ => Ok(()),
    }
}

/// The address under which this machine reaches what listens on `address`.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

fn default_image_builder_url() -> HttpUrl {
    "http://127.0.0.1:7201".parse().expect("is an address")
}

fn parsed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DatabaseUrl>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_may_stand_in_the_file() {
        let text = "state-folder: a\ndatabase-url: 'sqlite:a.sqlite'\nauth-required: false\n\
                    auth-key: 0123456789abcdef0123456789abcdef\nadmin-password: hunter2hunter2\n\
                    registration: closed\nmax-registrations-per-peer: 5\n\
                    free-password-attempts: 3\nmax-live-connections: 9\n\
                    max-live-connections-per-peer: 3\nmax-calls-per-caller: 9\nmax-tunnels-per-caller: 3\nuser-token-lifetime: 12h\n\
                    session-lifetime: 8h\nlive-logs: token\ncomponent-auth-token: t0ken\n\
                    image-builder-url: http://builder:7201/\nimage-builder-start-time-limit: 1min\n\
                    external-pub-url: https://example.com/pub\n\
                    internal-pub-url: http://pub/pub\nexternal-lifecycle-url: https://example.com/lifecycle\n\
                    infrastructure-target: process\nallow-job-overwrite: true\nmax-request-size: 1Gi\nmax-uploads-size: 4Gi\n\
                    max-unpacked-size: 2Gi\nmax-unpacked-entries: 7\n\
                    job-start-time-limit: 1h\nmonitor-interval: 1s\nreconcile-lost-jobs: true\n\
                    reconciliation-interval: 2min\nretention: off\nretention-deployments: 3\n\
                    retention-interval: 1h\n";
        let settings: LifecycleSettings = serde_yaml::from_str(text).expect("fits");
        let config = settings.or(LifecycleSettings::default()).with_defaults(([127, 0, 0, 1], 7202).into());
        assert_eq!(config.reconciliation_interval, Some(Duration::from_mins(2)));
        assert_eq!((config.retention_interval, config.retention_deployments), (None, 3));
        assert_eq!(config.image_builder_url.as_str(), "http://builder:7201");
        assert_eq!((config.unpack_limits.size, config.unpack_limits.entries), (2 << 30, 7));
        assert!(!format!("{config:?}").contains("hunter2"));
        let command = LifecycleSettings::augment_args(clap::Command::new("lifecycle"));
        command.clone().debug_assert();
        for option in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(text.contains(&format!("{option}: ")), "{option} is not tried");
        }
    }

    #[test]
    fn public_addresses_are_those_it_listens_on() {
        let config =
            |address: &str| LifecycleSettings::default().with_defaults(address.parse().expect("valid"));
        assert_eq!(config("127.0.0.1:80").external_pub_url.as_str(), "http://127.0.0.1:80/pub");
        assert_eq!(config("0.0.0.0:7202").internal_pub_url.as_str(), "http://127.0.0.1:7202/pub");
        assert_eq!(config("[::]:7202").external_lifecycle_url.as_str(), "http://[::1]:7202/lifecycle");
    }
}
