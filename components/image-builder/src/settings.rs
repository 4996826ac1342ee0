//! The settings that image-builder has besides those of every component, and what comes of them.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::thread::available_parallelism;
use std::time::Duration;

use axum::http::Uri;
use clap::Args;
use racetrack_service::config::Config;
use racetrack_service::setting_value::{AuthToken, Size};
use racetrack_service::settings::{Settings, Span};
use racetrack_service::source_archive::ArchiveLimits;
use serde::Deserialize;

use crate::source::git_address::GitProtocols;
use crate::source::networks::Networks;

/// Image-builder's own settings.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[command(next_help_heading = "Configuration")]
pub struct ImageBuilderSettings {
    /// Where lifecycle is told of the phases and warnings of a build; empty to tell nobody
    /// [default: `http://127.0.0.1:7202`]
    #[arg(long, env, value_name = "URL")]
    pub lifecycle_url: Option<LifecycleUrl>,

    /// The secret that lifecycle and image-builder show each other, the same in both: requests without it are refused;
    /// without one, whatever runs on this machine may build [default: none]
    #[arg(long, env, value_name = "TOKEN")]
    pub component_auth_token: Option<AuthToken>,

    /// Whether to listen where other machines can reach it without a `component-auth-token`, so that anybody there can
    /// build: true or false [default: false]
    #[arg(long, env, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub allow_unauthenticated_remote_access: Option<bool>,

    /// How the source of jobs may be fetched, of https, http, ssh and file, with commas between [default: https,http]
    #[arg(long, env, value_name = "PROTOCOLS")]
    pub allowed_git_protocols: Option<GitProtocols>,

    /// Networks in which no job is fetched by https and http, with commas between: loopback, private, link-local, or such as
    /// 10.0.0.0/8; an empty text for none [default: link-local]
    #[arg(long, env, value_name = "NETWORKS")]
    pub refused_git_networks: Option<Networks>,

    /// The longest time that fetching the source of a job may take [default: 10min]
    #[arg(long, env, value_name = "DURATION")]
    pub git_time_limit: Option<Span>,

    /// Whether to warn when the manifest in the repository differs from the one submitted: true or false
    /// [default: true]
    #[arg(long, env, value_name = "BOOL")]
    pub verify_manifest_consistency: Option<bool>,

    /// The folder where the source of a job is while the job is built [default: .racetrack-run/image-builder/workspaces]
    #[arg(long, env, value_name = "FOLDER")]
    pub workspaces_folder: Option<PathBuf>,

    /// The folder with the job bundles [default: .racetrack-run/image-builder/bundles]
    #[arg(long, env, value_name = "FOLDER")]
    pub bundles_folder: Option<PathBuf>,

    /// The folder where job types keep what several builds need [default: .racetrack-run/image-builder/cache]
    #[arg(long, env, value_name = "FOLDER")]
    pub bundle_cache_folder: Option<PathBuf>,

    /// How long something in that folder stays that no bundle needs, after a build has last used it [default: 30days]
    #[arg(long, env, value_name = "DURATION")]
    pub unused_cache_lifetime: Option<Span>,

    /// The folder with the log of each build [default: .racetrack-run/image-builder/build-logs]
    #[arg(long, env, value_name = "FOLDER")]
    pub build_logs_folder: Option<PathBuf>,

    /// How much of the log of a build is kept [default: 16Mi]
    #[arg(long, env, value_name = "BYTES")]
    pub max_build_log_size: Option<Size>,

    /// The largest request to build that is taken, with the source of the job in it [default: 256Mi]
    #[arg(long, env, value_name = "BYTES")]
    pub max_request_size: Option<Size>,

    /// How large the sources may be together that came with requests and are not unpacked yet; they are in the workspaces
    /// folder [default: 2Gi]
    #[arg(long, env, value_name = "BYTES")]
    pub max_uploads_size: Option<Size>,

    /// How large the source of a job may be once it is unpacked or checked out [default: 512Mi]
    #[arg(long, env, value_name = "BYTES")]
    pub max_unpacked_size: Option<Size>,

    /// How many files and folders the source of a job may have; of a repository, all of it counts [default: 50000]
    #[arg(long, env, value_name = "NUMBER")]
    pub max_unpacked_entries: Option<usize>,

    /// How many jobs are built at once; further ones wait in line [default: the number of CPUs]
    #[arg(long, env, value_name = "NUMBER")]
    pub max_concurrent_builds: Option<NonZeroUsize>,

    /// The longest time that a job type may take to build a job [default: 30min]
    #[arg(long, env, value_name = "DURATION")]
    pub build_time_limit: Option<Span>,

    /// How often a caller who waits for the result of a build is told that it goes on [default: 60s]
    #[arg(long, env, value_name = "DURATION")]
    pub heartbeat_interval: Option<Span>,
}

/// [`ImageBuilderSettings`] with their defaults filled in; what each one means is said there.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are documented in `ImageBuilderSettings`")]
pub struct BuildConfig {
    pub lifecycle_url: LifecycleUrl,
    pub component_auth_token: Option<AuthToken>,
    pub allowed_git_protocols: GitProtocols,
    pub refused_git_networks: Networks,
    pub git_time_limit: Duration,
    pub verify_manifest_consistency: bool,
    pub workspaces_folder: PathBuf,
    pub bundles_folder: PathBuf,
    pub bundle_cache_folder: PathBuf,
    pub unused_cache_lifetime: Duration,
    pub build_logs_folder: PathBuf,
    pub max_build_log_size: usize,
    pub max_request_size: u64,
    pub max_uploads_size: u64,
    pub unpack_limits: ArchiveLimits,
    pub max_concurrent_builds: NonZeroUsize,
    pub build_time_limit: Duration,
    pub heartbeat_interval: Duration,
}

/// The address of lifecycle, without a slash at its end; or empty.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct LifecycleUrl(String);

/// A text that is no [`LifecycleUrl`].
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not an address of lifecycle; write one such as http://127.0.0.1:7202, or nothing")]
pub struct InvalidLifecycleUrl {
    /// The text found.
    pub text: String,
}

/// Image-builder would be open to everybody.
#[derive(Debug, thiserror::Error)]
#[error(
    "refusing to listen on {address}: other machines could reach it and have anything built; set component-auth-token \
     here and in lifecycle, listen on 127.0.0.1, or set allow-unauthenticated-remote-access when something else guards \
     it"
)]
pub struct OpenToEverybody {
    /// Where it was to listen.
    pub address: SocketAddr,
}

impl Settings for ImageBuilderSettings {
    fn or(self, other: Self) -> Self {
        Self {
            lifecycle_url: self.lifecycle_url.or(other.lifecycle_url),
            component_auth_token: self.component_auth_token.or(other.component_auth_token),
            allow_unauthenticated_remote_access: self
                .allow_unauthenticated_remote_access
                .or(other.allow_unauthenticated_remote_access),
            allowed_git_protocols: self.allowed_git_protocols.or(other.allowed_git_protocols),
            refused_git_networks: self.refused_git_networks.or(other.refused_git_networks),
            git_time_limit: self.git_time_limit.or(other.git_time_limit),
            verify_manifest_consistency: self
                .verify_manifest_consistency
                .or(other.verify_manifest_consistency),
            workspaces_folder: self.workspaces_folder.or(other.workspaces_folder),
            bundles_folder: self.bundles_folder.or(other.bundles_folder),
            bundle_cache_folder: self.bundle_cache_folder.or(other.bundle_cache_folder),
            unused_cache_lifetime: self.unused_cache_lifetime.or(other.unused_cache_lifetime),
            build_logs_folder: self.build_logs_folder.or(other.build_logs_folder),
            max_build_log_size: self.max_build_log_size.or(other.max_build_log_size),
            max_request_size: self.max_request_size.or(other.max_request_size),
            max_uploads_size: self.max_uploads_size.or(other.max_uploads_size),
            max_unpacked_size: self.max_unpacked_size.or(other.max_unpacked_size),
            max_unpacked_entries: self.max_unpacked_entries.or(other.max_unpacked_entries),
            max_concurrent_builds: self.max_concurrent_builds.or(other.max_concurrent_builds),
            build_time_limit: self.build_time_limit.or(other.build_time_limit),
            heartbeat_interval: self.heartbeat_interval.or(other.heartbeat_interval),
        }
    }
}

impl ImageBuilderSettings {
    /// The settings with their defaults filled in.
    pub fn with_defaults(self) -> BuildConfig {
        const MIB: u64 = 1024 * 1024;
        let folder = |given: Option<PathBuf>, name| given.unwrap_or_else(|| PathBuf::from(name));
        let span = |given: Option<Span>, seconds| given.map_or(Duration::from_secs(seconds), |span| span.0);
        let size = |given: Option<Size>, default| given.map_or(default, |size| size.0);
        let in_memory = |given, default| usize::try_from(size(given, default)).unwrap_or(usize::MAX);
        let cores = || available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let unpack_limits = ArchiveLimits::default();
        BuildConfig {
            lifecycle_url: self.lifecycle_url.unwrap_or_default(),
            component_auth_token: self.component_auth_token,
            allowed_git_protocols: self.allowed_git_protocols.unwrap_or_default(),
            refused_git_networks: self.refused_git_networks.unwrap_or_default(),
            git_time_limit: span(self.git_time_limit, 10 * 60),
            verify_manifest_consistency: self.verify_manifest_consistency.unwrap_or(true),
            workspaces_folder: folder(self.workspaces_folder, ".racetrack-run/image-builder/workspaces"),
            bundles_folder: folder(self.bundles_folder, ".racetrack-run/image-builder/bundles"),
            bundle_cache_folder: folder(self.bundle_cache_folder, ".racetrack-run/image-builder/cache"),
            unused_cache_lifetime: span(self.unused_cache_lifetime, 30 * 24 * 60 * 60),
            build_logs_folder: folder(self.build_logs_folder, ".racetrack-run/image-builder/build-logs"),
            max_build_log_size: in_memory(self.max_build_log_size, 16 * MIB),
            max_request_size: size(self.max_request_size, 256 * MIB),
            max_uploads_size: size(self.max_uploads_size, 2048 * MIB),
            unpack_limits: ArchiveLimits {
                size: size(self.max_unpacked_size, unpack_limits.size),
                entries: self.max_unpacked_entries.unwrap_or(unpack_limits.entries),
            },
            max_concurrent_builds: self.max_concurrent_builds.unwrap_or_else(cores),
            build_time_limit: span(self.build_time_limit, 30 * 60),
            heartbeat_interval: span(self.heartbeat_interval, 60),
        }
    }
}

/// Refuses an address that other machines can reach, unless callers have to show a token, or that is wanted.
pub(crate) fn check(config: &Config<ImageBuilderSettings>) -> Result<(), OpenToEverybody> {
    let address = config.service.http_address;
    let ImageBuilderSettings { component_auth_token, allow_unauthenticated_remote_access, .. } =
        &config.component;
    let is_guarded = component_auth_token.is_some() || allow_unauthenticated_remote_access.unwrap_or(false);
    if is_guarded || address.ip().to_canonical().is_loopback() {
        Ok(())
    } else {
        Err(OpenToEverybody { address })
    }
}

impl LifecycleUrl {
    /// The address, if there is one.
    pub fn get(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|url| !url.is_empty())
    }
}

impl Default for LifecycleUrl {
    fn default() -> Self {
        Self("http://127.0.0.1:7202".to_owned())
    }
}

impl FromStr for LifecycleUrl {
    type Err = InvalidLifecycleUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim_end_matches('/');
        let is_address = |uri: &Uri| uri.scheme_str() == Some("http") && uri.query().is_none();
        if text.is_empty() || text.parse().is_ok_and(|uri| is_address(&uri)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidLifecycleUrl { text: text.to_owned() })
        }
    }
}

impl TryFrom<String> for LifecycleUrl {
    type Error = InvalidLifecycleUrl;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifecycle_is_reached_over_http_or_not_at_all() {
        let url = |text: &str| text.parse::<LifecycleUrl>();
        assert_eq!(
            url("http://10.0.0.1:7202/lifecycle/").expect("valid").get(),
            Some("http://10.0.0.1:7202/lifecycle")
        );
        assert_eq!(url("").expect("valid").get(), None);
        for text in ["10.0.0.1:7202", "https://lifecycle", "http://a b", "http://a?b", "http:"] {
            assert!(url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn every_option_may_stand_in_the_file() {
        let text = "lifecycle-url: ''\ncomponent-auth-token: abc\nallow-unauthenticated-remote-access: true\nallowed-git-protocols: [https, ssh]\nrefused-git-networks: 'loopback, 10.0.0.0/8'\n\
                    git-time-limit: 1min\nverify-manifest-consistency: false\nworkspaces-folder: a\n\
                    bundles-folder: b\nbundle-cache-folder: c\nunused-cache-lifetime: 7days\nbuild-logs-folder: d\nmax-build-log-size: 1000\n\
                    max-request-size: 1Gi\nmax-uploads-size: 4Gi\nmax-unpacked-size: 2Gi\nmax-unpacked-entries: 7\n\
                    max-concurrent-builds: 3\nbuild-time-limit: 2h\nheartbeat-interval: 5s\n";
        let settings: ImageBuilderSettings = serde_yaml::from_str(text).expect("fits");
        let config = settings.or(ImageBuilderSettings::default()).with_defaults();
        assert_eq!((config.max_build_log_size, config.max_request_size), (1000, 1 << 30));
        assert_eq!(config.heartbeat_interval, Duration::from_secs(5));
        let command = ImageBuilderSettings::augment_args(clap::Command::new("image-builder"));
        command.clone().debug_assert();
        for option in command.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(text.contains(&format!("{option}: ")), "{option} is not tried");
        }
    }
}
