//! The configuration a component runs with: its settings from every source, laid over each other.
//!
//! The command line wins over the environment, the environment over the configuration file, the file over the defaults.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Command};
use racetrack_core::yaml::{self, YamlError, YamlLimits};
use serde::de::DeserializeOwned;
use serde_yaml::{Mapping, Value};

use crate::connection_limits::ConnectionLimits;
use crate::kept_config::KeptConfig;
use crate::peer::TrustedProxies;
use crate::settings::{LogFormat, LogLevel, ServiceSettings, Settings};

/// What a component runs with.
#[derive(Debug)]
pub struct Config<S> {
    /// What every component has.
    pub service: ServiceConfig,
    /// What this component has besides.
    pub component: S,
}

/// [`ServiceSettings`] with their defaults filled in; what each one means is said there.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are documented in `ServiceSettings`")]
pub struct ServiceConfig {
    pub http_address: SocketAddr,
    pub log_level: LogLevel,
    pub log_format: LogFormat,
    pub hook_time_limit: Duration,
    pub connection_limits: ConnectionLimits,
    pub trusted_proxies: TrustedProxies,
    pub shutdown_grace_period: Duration,
    pub git_version: String,
    pub docker_tag: String,
    pub plugins: BTreeMap<String, Value>,
    /// What plugins were given at an earlier run of the component; see [`Component::kept_configs`](crate::Component).
    pub kept_configs: Vec<KeptConfig>,
    /// The configuration file, if there was one.
    pub file: Option<PathBuf>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The extension tells no format.
    #[error("the configuration file {} is neither .yaml, .yml nor .toml", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The file is no YAML.
    #[error("the configuration file {} is not a mapping in YAML", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Why, and where.
        #[source]
        source: YamlError,
    },
    /// The file is larger than anybody writes.
    #[error("the configuration file {} is larger than {} bytes", path.display(), YamlLimits::CONFIGURATION.bytes)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML.
    #[error("the configuration file {} is not TOML", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Why, and where.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The file has a key that means nothing.
    #[error("unknown key `{key}` in the configuration file {}; {help}", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The key that may have been meant, or every key.
        help: String,
    },
    /// The value of a key does not fit.
    #[error("wrong value of `{key}` in the configuration file {}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The path of the key.
        key: String,
        /// What is wrong.
        #[source]
        source: serde_yaml::Error,
    },
}

/// Lays `given`, what the command line and the environment say, over the configuration file and the defaults.
///
/// # Errors
/// [`ConfigError`], naming the file and the key.
pub fn load<S: Settings>(
    file: Option<&Path>,
    given: (ServiceSettings, S),
    default_address: SocketAddr,
) -> Result<Config<S>, ConfigError> {
    let in_file = match file {
        Some(path) => read(path)?,
        None => Default::default(),
    };
    let settings = given.0.or(in_file.0);
    let connection_limits = connection_limits(&settings);
    let or_seconds = |span: Option<crate::settings::Span>, seconds| {
        span.map_or(Duration::from_secs(seconds), |span| span.0)
    };
    Ok(Config {
        service: ServiceConfig {
            http_address: settings.http_address.unwrap_or(default_address),
            log_level: settings.log_level.unwrap_or_default(),
            log_format: settings.log_format.unwrap_or_default(),
            hook_time_limit: or_seconds(settings.hook_time_limit, 30),
            connection_limits,
            trusted_proxies: settings.trusted_proxies.unwrap_or_default(),
            shutdown_grace_period: or_seconds(settings.shutdown_grace_period, 10),
            git_version: settings.git_version.unwrap_or_else(|| "dev".to_owned()),
            docker_tag: settings.docker_tag.unwrap_or_default(),
            plugins: settings.plugins,
            kept_configs: Vec::new(),
            file: file.map(Path::to_owned),
        },
        component: given.1.or(in_file.1),
    })
}

fn connection_limits(settings: &ServiceSettings) -> ConnectionLimits {
    let default = ConnectionLimits::default();
    let time = |given: Option<crate::settings::Span>, default| given.map_or(default, |span| span.0);
    let number = |given: Option<NonZeroUsize>, default| given.map_or(default, NonZeroUsize::get);
    ConnectionLimits {
        request_head_time: time(settings.request_head_time_limit, default.request_head_time),
        idle_connection_time: time(settings.idle_connection_time_limit, default.idle_connection_time),
        stalled_transfer_time: time(settings.stalled_transfer_time_limit, default.stalled_transfer_time),
        connections: number(settings.max_connections, default.connections),
        connections_per_peer: number(settings.max_connections_per_peer, default.connections_per_peer),
    }
}

fn read<S: Settings>(path: &Path) -> Result<(ServiceSettings, S), ConfigError> {
    let mut of_service = parse(path)?;
    let (service_keys, component_keys) = (service_keys(), keys::<S>());
    let mut of_component = Mapping::new();
    for key in of_service.keys().cloned().collect::<Vec<_>>() {
        let name = key.as_str().unwrap_or_default();
        if component_keys.iter().any(|known| known == name) {
            of_component.extend(of_service.remove_entry(&key));
        } else if !service_keys.iter().any(|known| known == name) {
            let name = key.as_str().map_or_else(|| format!("{key:?}"), str::to_owned);
            let known: Vec<_> = service_keys.iter().chain(&component_keys).map(String::as_str).collect();
            return Err(ConfigError::UnknownKey {
                path: path.to_owned(),
                help: help(&name, &known),
                key: name,
            });
        }
    }
    Ok((typed(path, of_service)?, typed(path, of_component)?))
}

fn parse(path: &Path) -> Result<Mapping, ConfigError> {
    let to_owned = || path.to_owned();
    let failed = |source| ConfigError::Read { path: to_owned(), source };
    let limit = YamlLimits::CONFIGURATION.bytes;
    let mut text = String::new();
    // What has no end, such as a device, is not read to its end.
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(limit as u64 + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() > limit {
        return Err(ConfigError::TooLarge { path: to_owned() });
    }
    let text = text.trim_start_matches('\u{feff}');
    let extension = path.extension().and_then(|extension| extension.to_str());
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("toml") => toml::from_str(text)
            .map_err(|source| ConfigError::Toml { path: to_owned(), source: Box::new(source) }),
        Some("yaml" | "yml") => {
            let mapping: Result<Option<_>, _> = yaml::read(text, YamlLimits::CONFIGURATION);
            mapping
                .map(Option::unwrap_or_default)
                .map_err(|source| ConfigError::Yaml { path: to_owned(), source })
        }
        _ => Err(ConfigError::Format { path: to_owned() }),
    }
}

fn typed<T: DeserializeOwned>(path: &Path, mapping: Mapping) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(Value::Mapping(mapping)).map_err(|error| ConfigError::Value {
        path: path.to_owned(),
        key: error.path().to_string(),
        source: error.into_inner(),
    })
}

fn service_keys() -> Vec<String> {
    let mut keys = keys::<ServiceSettings>();
    keys.push("plugins".to_owned());
    keys
}

fn keys<S: Args>() -> Vec<String> {
    let command = S::augment_args(Command::new("keys"));
    let long = command.get_arguments().filter_map(clap::Arg::get_long);
    long.map(str::to_owned).collect()
}

fn help(name: &str, known: &[&str]) -> String {
    let alike = |known: &&&str| strsim::jaro_winkler(name, known);
    let best = known.iter().max_by(|left, right| alike(left).total_cmp(&alike(right)));
    match best {
        Some(best) if alike(&best) > 0.8 => format!("did you mean `{best}`?"),
        _ => format!("the keys are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::settings::Span;

    #[derive(Debug, Default, Args, serde::Deserialize)]
    #[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
    struct OwnSettings {
        #[arg(long)]
        database_url: Option<String>,
    }

    impl Settings for OwnSettings {
        fn or(self, other: Self) -> Self {
            Self { database_url: self.database_url.or(other.database_url) }
        }
    }

    fn default_address() -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 7202))
    }

    /// Loads a file of that name and content. The error's text has the path cut down to the name.
    fn load_file(name: &str, content: &str, given: ServiceSettings) -> Result<Config<OwnSettings>, String> {
        static FOLDERS: AtomicUsize = AtomicUsize::new(0);
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("racetrack-config-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join(name);
        std::fs::write(&path, content).expect("can be written");
        let loaded = load(Some(&path), (given, OwnSettings::default()), default_address());
        std::fs::remove_dir_all(&folder).expect("can be removed");
        loaded.map_err(|error| {
            let text = racetrack_core::error::chain(&error);
            text.replace(&format!("{}/", folder.display()), "")
        })
    }

    fn refusal(name: &str, content: &str) -> String {
        load_file(name, content, ServiceSettings::default()).expect_err("is refused")
    }

    #[test]
    fn without_anything_there_are_defaults() {
        let config = load::<OwnSettings>(None, Default::default(), default_address()).expect("defaults");
        let ServiceConfig {
            http_address,
            log_format,
            hook_time_limit,
            shutdown_grace_period,
            git_version,
            docker_tag,
            plugins,
            file,
            ..
        } = config.service;
        assert_eq!((http_address, log_format), (default_address(), LogFormat::Text));
        assert_eq!((hook_time_limit.as_secs(), shutdown_grace_period.as_secs()), (30, 10));
        assert_eq!((git_version.as_str(), docker_tag.as_str()), ("dev", ""));
        assert!(plugins.is_empty() && file.is_none());
    }

    #[test]
    fn what_is_given_wins_over_the_file() {
        let file = "\u{feff}http-address: 127.0.0.1:1\nhook-time-limit: 2min\ndatabase-url: sqlite\n";
        let given = ServiceSettings {
            hook_time_limit: Some(Span(Duration::from_millis(5))),
            ..ServiceSettings::default()
        };
        let config = load_file("config.yaml", file, given).expect("valid");
        assert_eq!(config.service.http_address.port(), 1);
        assert_eq!(config.service.hook_time_limit, Duration::from_millis(5));
        assert_eq!(config.service.shutdown_grace_period, Duration::from_secs(10));
        assert_eq!(config.component.database_url.as_deref(), Some("sqlite"));
    }

    #[test]
    fn yaml_and_toml_say_the_same() {
        let yaml = "log-format: json\nplugins: {watcher: {pattern: skynet, limits: [1, 2]}}\n";
        let toml = "log-format = \"json\"\n[plugins.watcher]\npattern = \"skynet\"\nlimits = [1, 2]\n";
        for (name, content) in [("c.yaml", yaml), ("c.YML", yaml), ("c.toml", toml)] {
            let config = load_file(name, content, ServiceSettings::default()).expect(name).service;
            assert_eq!(config.log_format, LogFormat::Json);
            assert_eq!(config.plugins["watcher"]["pattern"], "skynet", "{name}");
            assert_eq!(config.plugins["watcher"]["limits"][1], 2, "{name}");
        }
        assert!(load_file("c.yaml", "# nothing\n", ServiceSettings::default()).is_ok());
    }

    #[test]
    fn a_file_may_repeat_what_it_names_within_limits() {
        let yaml = "plugins:\n  a: &a {limits: [1, 2]}\n  b: {c: *a}\n";
        let config = load_file("c.yaml", yaml, ServiceSettings::default()).expect("is small").service;
        assert_eq!(config.plugins["b"]["c"]["limits"][1], 2);
        let many = format!("plugins: {{a: &a [{}0], b: [{}*a]}}", "0,".repeat(16_000), "*a,".repeat(16_000));
        let text = refusal("c.yaml", &many);
        assert!(
            text.contains("c.yaml is not a mapping in YAML: there are more than 100000 values at line 1"),
            "{text}"
        );
        let text = refusal("c.yaml", "plugins: {a: &a {b: 1}, c: {<<: *a}}");
        assert!(
            text.contains("the merge key `<<` is not supported at line 1 column 29; write out"),
            "{text}"
        );
        for name in ["c.yaml", "c.toml"] {
            let text = refusal(name, &"#".repeat(2 << 20));
            assert_eq!(text, format!("the configuration file {name} is larger than 1048576 bytes"));
            let deep = refusal(
                name,
                &format!("log-level {} {}", if name == "c.yaml" { ':' } else { '=' }, "[".repeat(1 << 19)),
            );
            assert!(deep.starts_with(&format!("the configuration file {name} is not ")), "{deep}");
        }
    }

    #[test]
    fn errors_name_the_file_and_the_key() {
        let texts = [
            (
                refusal("c.yaml", "http-adress: 127.0.0.1:1"),
                "unknown key `http-adress` in the configuration file c.yaml; did you mean `http-address`?",
            ),
            (
                refusal("c.yaml", "qqq: 1"),
                "unknown key `qqq` in the configuration file c.yaml; the keys are http-address, log-level, log-format, \
                 hook-time-limit, request-head-time-limit, idle-connection-time-limit, \
                 stalled-transfer-time-limit, max-connections, max-connections-per-peer, trusted-proxies, \
                 shutdown-grace-period, git-version, docker-tag, plugins, database-url",
            ),
            (
                refusal("c.yaml", "hook-time-limit: 30"),
                "wrong value of `hook-time-limit` in the configuration file c.yaml: invalid type: integer `30`, expected \
                 a duration with its unit, such as 30s",
            ),
            (
                refusal("c.toml", "log-level = \"loud\""),
                "wrong value of `log-level` in the configuration file c.toml: `loud` is not a log level; one of off, error, \
                 warn, info, debug, trace, or MODULE=LEVEL",
            ),
            (
                refusal("c.yaml", "plugins: [watcher]"),
                "wrong value of `plugins` in the configuration file c.yaml: invalid type: sequence, expected a map",
            ),
            (
                refusal("c.yaml", "- http-address"),
                "the configuration file c.yaml is not a mapping in YAML: invalid type: sequence, expected a YAML mapping",
            ),
            (refusal("c.json", "{}"), "the configuration file c.json is neither .yaml, .yml nor .toml"),
        ];
        for (text, expected) in texts {
            assert!(text.starts_with(expected), "{text}");
        }
        assert!(refusal("c.toml", "a = ").starts_with("the configuration file c.toml is not TOML: "));
        let twice = refusal("c.yaml", "log-level: info\nlog-level: info");
        assert!(
            twice.contains("c.yaml is not a mapping in YAML: duplicate key `log-level` at line 2 column 1"),
            "{twice}"
        );
        let missing =
            load::<OwnSettings>(Some(Path::new("no-such.yaml")), Default::default(), default_address());
        assert_eq!(
            missing.expect_err("is not there").to_string(),
            "cannot read the configuration file no-such.yaml"
        );
    }
}
