//! The manifest of a job: what its author writes into `job.yaml`.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::model::git_source::GitSource;
use crate::model::quantity::Quantity;
use crate::yaml::{self, YamlError, YamlLimits};

/// The longest `job.yaml` that is read, in bytes. Jobs get it in an environment variable, of 128 KiB at most.
pub const MAX_SIZE: usize = YamlLimits::JOB_MANIFEST.bytes;

/// The most replicas a job may have.
pub const MAX_REPLICAS: u32 = 50;

/// The longest name of a job, in bytes: names become labels of DNS.
const MAX_NAME_LENGTH: usize = 40;

/// The longest version of a job, in bytes: versions become parts of names of images and folders.
const MAX_VERSION_LENGTH: usize = 64;

/// A job's description of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct JobManifest {
    /// The name of the job: lower-case letters, digits and dashes.
    pub name: String,
    /// Whom to write to about the job.
    pub owner_email: String,
    /// Where the source of the job is.
    pub git: GitSource,
    /// The version of the job.
    #[serde(default = "default_version")]
    pub version: String,
    /// The job type, `name:version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobtype: Option<String>,
    /// The older name of `jobtype`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// A manifest that this one completes; resolved by the client before it sends the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extends: Option<String>,
    /// What kind of image the job becomes.
    #[serde(default = "default_image_type")]
    pub image_type: String,
    /// Packages of the operating system that the job needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_dependencies: Option<Vec<String>>,
    /// Variables of the build.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "unique_keys")]
    pub build_env: Option<BTreeMap<String, String>>,
    /// Variables of the running job.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "unique_keys")]
    pub runtime_env: Option<BTreeMap<String, String>>,
    /// A file of the client with secret variables of the build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_build_env_file: Option<String>,
    /// A file of the client with secret variables of the running job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_runtime_env_file: Option<String>,
    /// Whatever the owner wants to note.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "unique_keys")]
    pub labels: Option<BTreeMap<String, Value>>,
    /// Endpoints that ask for no token, once an administrator agrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_endpoints: Option<Vec<String>>,
    /// How many instances run at once.
    #[serde(default = "default_replicas")]
    pub replicas: u32,
    /// How much memory and CPU an instance gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// What the job type asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobtype_extra: Option<Map<String, Value>>,
    /// An older name of `jobtype_extra`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<Map<String, Value>>,
    /// An older name of `jobtype_extra`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub golang: Option<Map<String, Value>>,
    /// Where the Dockerfile of the job is, for job types that take one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<Map<String, Value>>,
    /// An older name of `jobtype_extra`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrapper_properties: Option<Map<String, Value>>,
    /// Where the job is to run, if there is a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infrastructure_target: Option<String>,
}

/// How much memory and CPU an instance of a job gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Memory set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_min: Option<Quantity>,
    /// Memory it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<Quantity>,
    /// CPUs set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_min: Option<Quantity>,
    /// CPUs it may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_max: Option<Quantity>,
}

/// Why a text is no job manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobManifestError {
    /// The text is longer than [`MAX_SIZE`].
    #[error("the job manifest is larger than {MAX_SIZE} bytes")]
    TooLarge,
    /// The text is not YAML, has something that no manifest needs, or an unknown, missing or wrongly typed key; the source
    /// says where.
    #[error("cannot read the job manifest")]
    Shape(#[source] YamlError),
    /// The values break rules.
    #[error("invalid job manifest: {}", .0.join("; "))]
    Rules(Vec<String>),
}

impl JobManifest {
    /// Reads and checks a manifest.
    ///
    /// ```
    /// use racetrack_core::JobManifest;
    ///
    /// let manifest = JobManifest::parse(
    ///     "name: adder\nowner_email: sample@example.com\njobtype: python3:latest\n\
    ///      git: {remote: 'https://example.com/jobs.git', directory: adder}\n",
    /// )?;
    /// assert_eq!(manifest.version, "0.0.1");
    /// assert_eq!(manifest.job_type(), "python3:latest");
    /// # Ok::<(), racetrack_core::job_manifest::JobManifestError>(())
    /// ```
    ///
    /// # Errors
    /// [`JobManifestError`]; all broken rules are told together.
    pub fn parse(text: &str) -> Result<Self, JobManifestError> {
        Self::parse_within(text, YamlLimits::JOB_MANIFEST)
    }

    /// The same for a manifest that the platform has kept. It may have anchors and aliases: earlier versions took them.
    ///
    /// # Errors
    /// [`JobManifestError`]
    pub fn parse_stored(text: &str) -> Result<Self, JobManifestError> {
        Self::parse_within(text, YamlLimits::STORED_JOB_MANIFEST)
    }

    fn parse_within(text: &str, limits: YamlLimits) -> Result<Self, JobManifestError> {
        let manifest: Self = yaml::read(text, limits).map_err(|error| match error {
            YamlError::TooLarge { .. } => JobManifestError::TooLarge,
            other => JobManifestError::Shape(other),
        })?;
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks the rules that go beyond the types of the values.
    ///
    /// # Errors
    /// [`JobManifestError::Rules`] with every rule that is broken.
    pub fn check(&self) -> Result<(), JobManifestError> {
        let mut broken = Vec::new();
        if !is_job_name(&self.name) {
            broken.push(format!(
                "name: {:?} is no job name: at most {MAX_NAME_LENGTH} lower-case ASCII letters, digits and single \
                 dashes, with a letter or digit at both ends",
                self.name
            ));
        }
        if !is_job_version(&self.version) {
            broken.push(format!(
                "version: {:?} is no version of the form X.Y.Z[-label] with at most {MAX_VERSION_LENGTH} characters",
                self.version
            ));
        }
        match self.owner_email.split_once('@') {
            Some((name, host)) if !name.is_empty() && !host.is_empty() => {}
            _ => broken.push(format!("owner_email: {:?} is no mail address", self.owner_email)),
        }
        if let Err(of_git) = self.git.check() {
            broken.extend(of_git.iter().map(ToString::to_string));
        }
        match (&self.jobtype, &self.lang) {
            (Some(_), Some(_)) => broken.push("jobtype: set either `jobtype` or `lang`, not both".to_owned()),
            (None, None) => {
                broken.push("jobtype: missing; write for example `jobtype: python3:latest`".to_owned());
            }
            _ => {}
        }
        if self.job_type().matches(':').count() != 1 && self.jobtype.is_some() {
            broken.push(format!("jobtype: {:?} does not have the form name:version", self.job_type()));
        }
        let extras = [&self.jobtype_extra, &self.python, &self.golang, &self.wrapper_properties];
        if extras.iter().filter(|extra| extra.is_some()).count() > 1 {
            broken.push(
                "jobtype_extra: set only one of jobtype_extra, python, golang, wrapper_properties".to_owned(),
            );
        }
        if !(1..=MAX_REPLICAS).contains(&self.replicas) {
            broken.push(format!("replicas: must be from 1 to {MAX_REPLICAS}, not {}", self.replicas));
        }
        if broken.is_empty() { Ok(()) } else { Err(JobManifestError::Rules(broken)) }
    }

    /// The job type asked for: `jobtype`, or the older `lang`.
    pub fn job_type(&self) -> &str {
        self.jobtype.as_deref().or(self.lang.as_deref()).unwrap_or_default()
    }

    /// What the job type asks for: `jobtype_extra`, or one of its older names.
    pub fn job_type_extra(&self) -> Option<&Map<String, Value>> {
        let older = self.golang.as_ref().or(self.python.as_ref()).or(self.wrapper_properties.as_ref());
        self.jobtype_extra.as_ref().or(older)
    }
}

fn is_job_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let edges = !name.starts_with('-') && !name.ends_with('-') && !name.contains("--");
    !name.is_empty() && name.len() <= MAX_NAME_LENGTH && name.chars().all(allowed) && edges
}

fn is_job_version(version: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    version.len() <= MAX_VERSION_LENGTH
        && version.chars().all(allowed)
        && version.parse::<crate::Version>().is_ok()
}

fn default_version() -> String {
    "0.0.1".to_owned()
}

fn default_image_type() -> String {
    "docker".to_owned()
}

const fn default_replicas() -> u32 {
    1
}

/// Reads a map, and refuses a key that comes twice: YAML parsers silently let the last one win.
fn unique_keys<'de, D, V>(deserializer: D) -> Result<Option<BTreeMap<String, V>>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    struct Visitor<V>(PhantomData<V>);

    impl<'de, V: Deserialize<'de>> de::Visitor<'de> for Visitor<V> {
        type Value = Option<BTreeMap<String, V>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a mapping")
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: de::MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some(key) = access.next_key::<String>()? {
                if map.contains_key(&key) {
                    return Err(de::Error::custom(format_args!("duplicate key `{key}`")));
                }
                map.insert(key, access.next_value()?);
            }
            Ok(Some(map))
        }
    }

    deserializer.deserialize_any(Visitor(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;

    const ADDER: &str =
        "name: adder\nowner_email: a@example.com\njobtype: python3:1.0.0\ngit: {remote: https://x/y}\n";

    fn rejected(change: impl FnOnce(&mut String)) -> String {
        let mut text = ADDER.to_owned();
        change(&mut text);
        chain(&JobManifest::parse(&text).expect_err(&text))
    }

    #[test]
    fn defaults_apply() {
        let manifest = JobManifest::parse(ADDER).expect("valid");
        assert_eq!((manifest.replicas, manifest.git.directory.as_str()), (1, "."));
        assert_eq!(manifest.job_type_extra(), None);
    }

    #[test]
    fn unknown_keys_types_and_duplicates_are_refused() {
        assert!(rejected(|text| text.push_str("color: red\n")).contains("unknown field `color`"));
        assert!(rejected(|text| text.push_str("version: [1]\n")).contains("version: invalid type"));
        assert!(rejected(|text| text.push_str("version: 1.0.0\nversion: 1.0.1\n")).contains("duplicate"));
        assert!(rejected(|text| text.push_str("runtime_env: {A: x, A: y}\n")).contains("duplicate key `A`"));
        assert!(rejected(|text| text.push_str("resources: {memory_max: 1K}\n")).contains("no quantity"));
        assert!(rejected(|text| *text = text.replace("name: adder\n", "")).contains("missing field `name`"));
        assert!(rejected(|text| text.push_str(&"#".repeat(MAX_SIZE))).contains("larger than"));
    }

    #[test]
    fn all_broken_rules_are_told_together() {
        let text = rejected(|text| {
            *text = text
                .replace("adder", "\"A'; rm\"")
                .replace("a@example.com", "nobody")
                .replace("python3:1.0.0", "python3")
                .replace("https://x/y", "https://bob:hunter2@x/y, branch: -b, directory: ..");
            text.push_str("replicas: 0\nversion: \"1\"\npython: {}\ngolang: {}\n");
        });
        let of_git = ["git.remote:", "git.branch:", "git.directory:"];
        let others = ["name:", "owner_email:", "jobtype:", "replicas:", "version:", "jobtype_extra:"];
        for key in of_git.into_iter().chain(others) {
            assert!(text.contains(key), "{key} in {text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn versions_fit_every_infrastructure() {
        for version in ["1.0.0", "0.0.1-alpha", "1.2.3+build.4", &format!("1.0.0-{}", "a".repeat(58))] {
            assert!(is_job_version(version), "{version}");
        }
        for version in ["", "1", "1.0.0/..", "1.0.0\n", "1.0.0-ä", &format!("1.0.0-{}", "a".repeat(59))] {
            assert!(!is_job_version(version), "{version:?}");
        }
    }

    #[test]
    fn names_fit_every_infrastructure() {
        for name in ["adder", "a", "python-class", "3d", &"a".repeat(40)] {
            assert!(is_job_name(name), "{name}");
        }
        for name in ["", "-a", "a-", "a--b", "A", "a_b", "a b", "a\n", "a\"", &"a".repeat(41)] {
            assert!(!is_job_name(name), "{name:?}");
        }
    }
}
