//! What people set for this plugin.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use racetrack_core::Quantity;
use serde::{Deserialize, Deserializer, de};

use crate::system::control_group::Place;

/// The plugin's section of lifecycle's configuration: `plugins: {process-infrastructure: {…}}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct ProcessConfig {
    /// Where everything about the jobs is kept.
    pub(crate) state_folder: PathBuf,
    /// A file of 32 bytes, the key of the secrets at rest. Without one, a key is made in the state folder.
    pub(crate) key_file: Option<PathBuf>,
    /// The infrastructure targets, by name.
    pub(crate) targets: BTreeMap<String, Option<TargetConfig>>,
}

/// How one target treats its jobs. Times are in seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub(crate) struct TargetConfig {
    /// How long a job may take until its server answers.
    #[serde(deserialize_with = "seconds")]
    pub(crate) timeout_until_job_alive: Duration,
    /// How long it may then take until it is ready.
    #[serde(deserialize_with = "seconds")]
    pub(crate) timeout_until_job_ready: Duration,
    /// How long an instance keeps serving after a newer one has taken its place: callers may still be on their way.
    #[serde(deserialize_with = "seconds")]
    pub(crate) drain: Duration,
    /// How long a process may take to end after SIGTERM, before SIGKILL.
    #[serde(deserialize_with = "seconds")]
    pub(crate) grace: Duration,
    /// The wait before a dead replica is started again; doubles with each time.
    #[serde(deserialize_with = "seconds")]
    pub(crate) restart_delay: Duration,
    /// The longest such wait.
    #[serde(deserialize_with = "seconds")]
    pub(crate) restart_delay_max: Duration,
    /// How long a replica has to run for the wait to begin anew.
    #[serde(deserialize_with = "seconds")]
    pub(crate) restart_reset_after: Duration,
    /// How large a log file gets before it is rotated, in bytes.
    pub(crate) log_file_size: Quantity,
    /// How many log files are kept of each replica, the one being written included.
    pub(crate) log_files: u32,
    /// The first port that jobs are given. The default range lies below the ports that systems pick for clients.
    pub(crate) first_port: u16,
    /// The last one.
    pub(crate) last_port: u16,
    /// Where programs are looked for; the `PATH` of lifecycle by default.
    pub(crate) path: String,
    /// The memory of a replica whose manifest sets no `memory_max`; unlimited by default.
    pub(crate) default_memory_max: Option<Quantity>,
    /// The CPUs of a replica whose manifest sets no `cpu_max`; unlimited by default.
    pub(crate) default_cpu_max: Option<Quantity>,
    /// The most memory a manifest may ask for; unlimited by default.
    pub(crate) max_job_memory_limit: Option<Quantity>,
    /// Whether processes are held and limited by control groups where these can be written.
    pub(crate) control_groups: bool,
    /// The folder of a control group of version 2 that was set aside for jobs: each replica gets a group below it. Without
    /// one, replicas get groups below lifecycle's own.
    pub(crate) control_group: Option<PathBuf>,
}

/// A setting that cannot be right.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidSetting {
    #[error(
        "`{0}` is no name of a target: lower-case letters, digits and dashes, with a letter or digit at both ends"
    )]
    TargetName(String),
    #[error(
        "target `{target}`: `first-port` is {first} and `last-port` is {last}: there is no port between them"
    )]
    Ports { target: String, first: u16, last: u16 },
    #[error("target `{target}`: `log-files` must be at least 1, and `log-file-size` at least 4Ki")]
    Logs { target: String },
}

impl Default for ProcessConfig {
    fn default() -> Self {
        Self {
            state_folder: PathBuf::from(".racetrack-run/process"),
            key_file: None,
            targets: BTreeMap::from([("process".to_owned(), None)]),
        }
    }
}

impl Default for TargetConfig {
    fn default() -> Self {
        Self {
            timeout_until_job_alive: Duration::from_mins(15),
            timeout_until_job_ready: Duration::from_mins(10),
            drain: Duration::from_secs(5),
            grace: Duration::from_secs(10),
            restart_delay: Duration::from_secs(1),
            restart_delay_max: Duration::from_mins(1),
            restart_reset_after: Duration::from_mins(5),
            log_file_size: "10Mi".parse().expect("a quantity"),
            log_files: 3,
            first_port: 20000,
            last_port: 29999,
            path: own_path(),
            default_memory_max: None,
            default_cpu_max: None,
            max_job_memory_limit: None,
            control_groups: true,
            control_group: None,
        }
    }
}

impl ProcessConfig {
    /// The targets with their settings, each once its settings are known to be possible.
    pub(crate) fn checked_targets(
        &self,
    ) -> impl Iterator<Item = Result<(String, TargetConfig), InvalidSetting>> {
        self.targets.iter().map(|(name, config)| {
            let config = config.clone().unwrap_or_default();
            config.check(name)?;
            Ok((name.clone(), config))
        })
    }
}

impl TargetConfig {
    /// How large a log file gets, in bytes.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a quantity is not negative, and the cast saturates"
    )]
    pub(crate) fn log_file_bytes(&self) -> u64 {
        self.log_file_size.value() as u64
    }

    /// Where the control groups of replicas are made, if they are.
    pub(crate) fn control_group_place(&self) -> Option<Place> {
        let place = self.control_group.clone().map_or(Place::Own, Place::Below);
        self.control_groups.then_some(place)
    }

    fn check(&self, target: &str) -> Result<(), InvalidSetting> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let edges = !target.starts_with('-') && !target.ends_with('-');
        if target.is_empty() || target.len() > 64 || !target.chars().all(allowed) || !edges {
            return Err(InvalidSetting::TargetName(target.to_owned()));
        }
        let target = target.to_owned();
        if self.first_port == 0 || self.first_port > self.last_port {
            return Err(InvalidSetting::Ports { target, first: self.first_port, last: self.last_port });
        }
        if self.log_files == 0 || self.log_file_bytes() < 4096 {
            return Err(InvalidSetting::Logs { target });
        }
        Ok(())
    }
}

fn own_path() -> String {
    let path = std::env::var_os("PATH").map(OsString::into_string);
    path.and_then(Result::ok).unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned())
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    // A year: beyond it a number is a slip, and sums of times could overflow.
    const LONGEST: f64 = 31_536_000.0;
    let number = f64::deserialize(deserializer)?;
    if (0.0..=LONGEST).contains(&number) {
        Ok(Duration::from_secs_f64(number))
    } else {
        Err(de::Error::custom(format_args!("must be a number of seconds from 0 to {LONGEST}, not {number}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<Vec<(String, TargetConfig)>, String> {
        let config: ProcessConfig = serde_yaml::from_str(yaml).map_err(|error| error.to_string())?;
        config.checked_targets().collect::<Result<_, _>>().map_err(|error| error.to_string())
    }

    #[test]
    fn there_is_one_target_by_default_and_as_many_as_are_named() {
        let names = |yaml: &str| read(yaml).unwrap().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names("{}"), ["process"]);
        assert_eq!(
            names("targets: {process: {}, second: , third: {drain: 0.5}}"),
            ["process", "second", "third"]
        );
        assert_eq!(read("targets: {a: {drain: 0.5}}").unwrap()[0].1.drain, Duration::from_millis(500));
    }

    #[test]
    fn impossible_settings_are_refused() {
        for (yaml, text) in [
            ("targets: {../x: {}}", "no name of a target"),
            ("targets: {a: {drain: -1}}", "number of seconds"),
            ("targets: {a: {drain: .inf}}", "number of seconds"),
            ("targets: {a: {first-port: 9, last-port: 8}}", "no port between"),
            ("targets: {a: {log-files: 0}}", "at least 1"),
            ("targets: {a: {log-file-size: 1}}", "at least 4Ki"),
            ("targets: {a: {drian: 1}}", "unknown field `drian`"),
        ] {
            let error = read(yaml).expect_err(yaml);
            assert!(error.contains(text), "{yaml}: {error}");
        }
    }
}
