//! What people may set: by a command-line option, by an environment variable, or in the configuration file.
//!
//! Each setting is one documented field. Its option, its variable and its key in the file have the field's name; the
//! field's text is what `--help` shows.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer};
use serde_yaml::Value;
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::peer::TrustedProxies;

/// A group of settings, each of them optional, so that groups from several sources can be laid over each other.
pub trait Settings: Args + Default + DeserializeOwned + Send + 'static {
    /// These settings, and those of `other` where these say nothing.
    #[must_use]
    fn or(self, other: Self) -> Self;
}

/// The settings that every component has.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[command(next_help_heading = "Configuration")]
pub struct ServiceSettings {
    /// Where to listen; with port 0 the system chooses a free port
    #[arg(long, env, value_name = "IP:PORT")]
    pub http_address: Option<SocketAddr>,

    /// What to log: off, error, warn, info, debug or trace; also by module, as in `info,hyper=debug` [default: info]
    #[arg(long, env, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,

    /// How to log, on standard error [default: text]
    #[arg(long, env, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// The longest time that one hook of one plugin may take, such as 500ms or 2min [default: 30s]
    #[arg(long, env, value_name = "DURATION")]
    pub hook_time_limit: Option<Span>,

    /// How long the head of a request may take, from the beginning of the connection or the first byte of the request
    /// [default: 10s]
    #[arg(long, env, value_name = "DURATION")]
    pub request_head_time_limit: Option<Span>,

    /// How long a connection is kept between two requests [default: 75s]
    #[arg(long, env, value_name = "DURATION")]
    pub idle_connection_time_limit: Option<Span>,

    /// How long a client may stop sending the body of a request, or taking an answer, before its connection is closed; a
    /// body that stays below 1 KiB/s counts as stopped [default: 30s]
    #[arg(long, env, value_name = "DURATION")]
    pub stalled_transfer_time_limit: Option<Span>,

    /// How many connections there may be, and never more than half of the files that the process may open; for a further
    /// one, the connection that waits longest for its client is closed [default: 4096]
    #[arg(long, env, value_name = "NUMBER")]
    pub max_connections: Option<NonZeroUsize>,

    /// How many of them may be of one address, unless it is one of this machine or of a trusted proxy [default: 1024]
    #[arg(long, env, value_name = "NUMBER")]
    pub max_connections_per_peer: Option<NonZeroUsize>,

    /// The reverse proxies that are believed where their header X-Forwarded-For says a request comes from: addresses and
    /// networks such as 10.0.0.0/8, with commas between [default: none]
    #[arg(long, env, value_name = "ADDRESSES")]
    pub trusted_proxies: Option<TrustedProxies>,

    /// How long requests may go on after the signal to stop [default: 10s]
    #[arg(long, env, value_name = "DURATION")]
    pub shutdown_grace_period: Option<Span>,

    /// The revision of the source, shown by /health [default: dev]
    #[arg(long, env, value_name = "TEXT")]
    pub git_version: Option<String>,

    /// The tag of the image this runs in, shown by /health [default: empty]
    #[arg(long, env, value_name = "TEXT")]
    pub docker_tag: Option<String>,

    /// The configuration of plugins, by plugin name; what it holds is up to the plugin. Only in the file.
    #[arg(skip)]
    pub plugins: BTreeMap<String, Value>,
}

/// The settings of a component that has none of its own.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

/// Which events are logged.
#[derive(Clone, Debug)]
pub struct LogLevel(pub Targets);

/// A duration as people write it: `30s`, `500ms`, `2min`. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// A text that is no [`LogLevel`].
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a log level; one of off, error, warn, info, debug, trace, or MODULE=LEVEL")]
pub struct InvalidLogLevel {
    /// The part of the text that is wrong.
    pub text: String,
}

/// A text that is no [`Span`].
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a duration; write one such as 30s, 500ms or 2min, longer than zero")]
pub struct InvalidSpan {
    /// The text found.
    pub text: String,
}

impl Settings for ServiceSettings {
    fn or(self, other: Self) -> Self {
        Self {
            http_address: self.http_address.or(other.http_address),
            log_level: self.log_level.or(other.log_level),
            log_format: self.log_format.or(other.log_format),
            hook_time_limit: self.hook_time_limit.or(other.hook_time_limit),
            request_head_time_limit: self.request_head_time_limit.or(other.request_head_time_limit),
            idle_connection_time_limit: self.idle_connection_time_limit.or(other.idle_connection_time_limit),
            stalled_transfer_time_limit: self
                .stalled_transfer_time_limit
                .or(other.stalled_transfer_time_limit),
            max_connections: self.max_connections.or(other.max_connections),
            max_connections_per_peer: self.max_connections_per_peer.or(other.max_connections_per_peer),
            trusted_proxies: self.trusted_proxies.or(other.trusted_proxies),
            shutdown_grace_period: self.shutdown_grace_period.or(other.shutdown_grace_period),
            git_version: self.git_version.or(other.git_version),
            docker_tag: self.docker_tag.or(other.docker_tag),
            plugins: if self.plugins.is_empty() { other.plugins } else { self.plugins },
        }
    }
}

impl Settings for NoSettings {
    fn or(self, _: Self) -> Self {
        self
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        Self(Targets::new().with_default(LevelFilter::INFO))
    }
}

impl FromStr for LogLevel {
    type Err = InvalidLogLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // On its own, `Targets` takes a misspelt level for the name of a module.
        let is_wrong = |part: &&str| {
            let level = part.rsplit_once('=').map_or(*part, |(_, level)| level);
            level.trim().is_empty() || level.trim().parse::<LevelFilter>().is_err()
        };
        let invalid = |part: &str| InvalidLogLevel { text: part.trim().to_owned() };
        match text.split(',').find(is_wrong) {
            Some(part) => Err(invalid(part)),
            None => text.parse().map(Self).map_err(|_| invalid(text)),
        }
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let duration = humantime::parse_duration(text).ok().filter(|duration| !duration.is_zero());
        duration.map(Self).ok_or_else(|| InvalidSpan { text: text.to_owned() })
    }
}

impl<'de> Deserialize<'de> for LogLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text::new("a log level such as info"))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text::new("a duration with its unit, such as 30s"))
    }
}

/// Reads a value from its text, and says what is expected where there is something else.
struct Text<T> {
    expected: &'static str,
    value: std::marker::PhantomData<T>,
}

impl<T> Text<T> {
    const fn new(expected: &'static str) -> Self {
        Self { expected, value: std::marker::PhantomData }
    }
}

impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_levels_are_levels_for_all_or_for_a_module() {
        for text in ["info", "OFF", "warn,hyper=debug", "racetrack_service::server=trace"] {
            assert!(text.parse::<LogLevel>().is_ok(), "{text}");
        }
        for (text, wrong) in [("inof", "inof"), ("info,hyper=loud", "hyper=loud"), ("", ""), ("info,", "")] {
            let error = text.parse::<LogLevel>().expect_err(text);
            assert!(error.to_string().starts_with(&format!("`{wrong}` is not a log level")), "{error}");
        }
    }

    #[test]
    fn spans_have_a_unit_and_are_not_zero() {
        assert_eq!("1m 30s".parse::<Span>().expect("valid"), Span(Duration::from_secs(90)));
        for text in ["0s", "30", "", "-1s", "soon"] {
            let error = text.parse::<Span>().expect_err(text);
            assert!(error.to_string().contains("is not a duration"), "{error}");
        }
    }
}
