//! What image-builder is asked to build: the body of `POST /api/v1/build`, taken apart and checked.

mod secrets;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use racetrack_core::error::chain;
use racetrack_core::job_environment::{Purpose, broken_rules};
use racetrack_core::redaction::Redaction;
use racetrack_core::{EnvVars, GitCredentials, JobManifest, job_manifest};
use racetrack_service::upload::{MemoryPlace, RestError, SourceFile, Upload};
use serde::Deserialize;

use self::secrets::{SecretsError, checked_credentials, redaction, secrets};
use crate::identifier::{DeploymentId, InvalidDeploymentId, PlatformId};
use crate::settings::BuildConfig;
use crate::source::git::GitSource;
use crate::source::git_address::GitSourceError;

/// The only flag of a build.
const NO_CACHE: &str = "--no-cache";

const NOT_BASE64: &str = "build_context: extracting build context: it is not base64";

/// The parts of the body whose values are never repeated in an error.
const SECRET_PARTS: [&str; 3] = ["git_credentials", "secret_build_env", "build_context"];

/// A job to build.
pub(crate) struct BuildRequest {
    pub(crate) deployment_id: DeploymentId,
    /// The platform that the job is built for. Nobody but it can have the images removed again.
    pub(crate) platform_id: Option<PlatformId>,
    pub(crate) manifest: JobManifest,
    /// The manifest as the job finds it in its `job.yaml`.
    pub(crate) manifest_yaml: String,
    pub(crate) source: RequestedSource,
    pub(crate) secret_build_env: EnvVars,
    pub(crate) tag: String,
    pub(crate) no_cache: bool,
    /// Takes the secrets of the build out of whatever people see.
    pub(crate) redaction: Redaction,
    /// For as long as any of this is there.
    pub(crate) memory: Option<MemoryPlace>,
}

/// Where the source of the job is.
pub(crate) enum RequestedSource {
    /// With the request: a tar archive, compressed by gzip.
    Context(Arc<SourceFile>),
    Git {
        source: GitSource,
        credentials: Option<GitCredentials>,
    },
}

/// Why a body is no request to build.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildRequestError {
    #[error("the body is not a request to build: {0}")]
    Shape(String),
    #[error("the body is not a request to build: {0}")]
    Rest(#[source] RestError),
    #[error("{}", chain(.0))]
    Manifest(#[from] job_manifest::JobManifestError),
    #[error(transparent)]
    DeploymentId(#[from] InvalidDeploymentId),
    #[error("tag: {0:?} is not the tag of an image")]
    Tag(String),
    #[error("build_flags: `{0}` is not allowed; the only flag is `{NO_CACHE}`")]
    Flag(String),
    #[error("{}", .0.join("; "))]
    Variables(Vec<String>),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Git(#[from] GitSourceError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    manifest: JobManifest,
    #[serde(default)]
    git_credentials: Option<GitCredentials>,
    #[serde(default)]
    secret_build_env: Option<BTreeMap<String, String>>,
    tag: String,
    #[serde(default)]
    #[expect(dead_code, reason = "is empty: its text has been taken out")]
    build_context: Option<String>,
    deployment_id: String,
    #[serde(default)]
    build_flags: Option<Vec<String>>,
    #[serde(default)]
    platform_id: Option<PlatformId>,
}

impl BuildRequest {
    /// Takes a request apart. Everything that can be known to be wrong before building is found here.
    pub(crate) fn parse(upload: Upload, config: &BuildConfig) -> Result<Self, BuildRequestError> {
        let Upload { rest, source: archive, is_base64, memory, .. } = upload;
        let mut deserializer = serde_json::Deserializer::from_slice(&rest);
        let body: Body =
            serde_path_to_error::deserialize(&mut deserializer).map_err(|error| shape(&error))?;
        deserializer.end().map_err(|error| BuildRequestError::Shape(error.to_string()))?;
        if !is_base64 {
            return Err(BuildRequestError::Shape(NOT_BASE64.to_owned()));
        }
        let manifest = body.manifest;
        manifest.check()?;
        let manifest_yaml = yaml(&manifest)?;
        let secret_build_env = body.secret_build_env.unwrap_or_default();
        let given = manifest.build_env.as_ref().map(|given| ("manifest.build_env", given));
        check_variables(given.into_iter().chain([("secret_build_env", &secret_build_env)]))?;
        let source = match archive {
            Some(archive) => RequestedSource::Context(Arc::new(archive)),
            None => RequestedSource::Git {
                source: GitSource::parse(&manifest.git, &config.allowed_git_protocols)?,
                credentials: checked_credentials(body.git_credentials)?,
            },
        };
        let secrets = secrets(source.credentials(), &secret_build_env);
        let redaction = redaction(secrets, &manifest.git.remote)?;
        Ok(Self {
            deployment_id: DeploymentId::parse(&body.deployment_id)?,
            platform_id: body.platform_id,
            manifest_yaml,
            manifest,
            source,
            secret_build_env,
            tag: tag(body.tag)?,
            no_cache: has_no_cache(body.build_flags.unwrap_or_default())?,
            redaction,
            memory,
        })
    }
}

impl RequestedSource {
    fn credentials(&self) -> Option<&GitCredentials> {
        match self {
            Self::Git { credentials, .. } => credentials.as_ref(),
            Self::Context(_) => None,
        }
    }
}

impl fmt::Debug for BuildRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildRequest")
            .field("deployment_id", &self.deployment_id)
            .field("job", &self.manifest.name)
            .field("version", &self.manifest.version)
            .finish_non_exhaustive()
    }
}

fn shape(error: &serde_path_to_error::Error<serde_json::Error>) -> BuildRequestError {
    let path = error.path().to_string();
    let inner = error.inner();
    let part = path.split(['.', '[']).next().unwrap_or_default();
    BuildRequestError::Shape(match SECRET_PARTS.contains(&part) {
        true if part == "build_context" => NOT_BASE64.to_owned(),
        true => format!("{path}: the value does not fit, at line {} column {}", inner.line(), inner.column()),
        false if part == "." || inner.is_syntax() || inner.is_eof() => inner.to_string(),
        false => format!("{path}: {inner}"),
    })
}

fn yaml(manifest: &JobManifest) -> Result<String, BuildRequestError> {
    let yaml =
        serde_yaml::to_string(manifest).map_err(|error| BuildRequestError::Shape(error.to_string()))?;
    if yaml.len() > job_manifest::MAX_SIZE {
        return Err(job_manifest::JobManifestError::TooLarge.into());
    }
    Ok(yaml)
}

fn check_variables<'a>(
    given: impl Iterator<Item = (&'static str, &'a BTreeMap<String, String>)>,
) -> Result<(), BuildRequestError> {
    let broken: Vec<_> =
        given.flat_map(|(place, variables)| broken_rules(place, variables, Purpose::Build)).collect();
    if broken.is_empty() { Ok(()) } else { Err(BuildRequestError::Variables(broken)) }
}

fn tag(text: String) -> Result<String, BuildRequestError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let begins_right = !text.starts_with(['.', '-']);
    if (1..=128).contains(&text.len()) && begins_right && text.chars().all(is_plain) {
        Ok(text)
    } else {
        Err(BuildRequestError::Tag(text.chars().take(128).collect()))
    }
}

fn has_no_cache(flags: Vec<String>) -> Result<bool, BuildRequestError> {
    let no_cache = !flags.is_empty();
    match flags.into_iter().find(|flag| flag != NO_CACHE) {
        Some(flag) => Err(BuildRequestError::Flag(flag.chars().take(64).collect())),
        None => Ok(no_cache),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use racetrack_service::upload::UploadError;

    use super::secrets::MAX_SECRETS;
    use super::*;
    use crate::settings::ImageBuilderSettings;

    fn body() -> Value {
        json!({
            "manifest": {
                "name": "adder",
                "owner_email": "a@example.com",
                "jobtype": "python3:latest",
                "git": {"remote": "https://example.com/jobs.git"},
            },
            "git_credentials": null,
            "secret_build_env": null,
            "tag": "2021-08-12T094058",
            "build_context": null,
            "deployment_id": "5c0a1d9e-7a40-4a8e-9d7c-0242ac120002",
            "build_flags": [],
        })
    }

    fn parse(body: &Value) -> Result<BuildRequest, BuildRequestError> {
        parse_bytes(&serde_json::to_vec(body).expect("is JSON"))
    }

    fn parse_bytes(body: &[u8]) -> Result<BuildRequest, BuildRequestError> {
        let upload = match Upload::of_bytes(body, &std::env::temp_dir()) {
            Ok(upload) => upload,
            Err(UploadError::Rest(error)) => return Err(BuildRequestError::Rest(error)),
            Err(error) => panic!("{error}"),
        };
        BuildRequest::parse(upload, &ImageBuilderSettings::default().with_defaults())
    }

    fn with(pointer: &str, value: Value) -> Value {
        let mut body = body();
        let (parent, key) = pointer.rsplit_once('/').expect("has a parent");
        body.pointer_mut(parent).expect("is there")[key] = value;
        body
    }

    #[track_caller]
    fn refused(pointer: &str, value: Value, text: &str) {
        let error = parse(&with(pointer, value)).expect_err(pointer).to_string();
        assert!(error.contains(text), "{error}");
    }

    #[test]
    fn defaults_are_filled_in() {
        let request = parse(&body()).expect("valid");
        assert_eq!(request.manifest.version, "0.0.1");
        assert!(!request.no_cache && request.manifest_yaml.contains("name: adder"));
        assert!(matches!(request.source, RequestedSource::Git { credentials: None, .. }));
        let request = parse(&with("/build_context", json!("aGVsbG8="))).expect("valid");
        assert!(matches!(request.source, RequestedSource::Context(file) if file.size() == 5));
    }

    #[test]
    fn what_is_wrong_is_said() {
        refused("/color", json!("red"), "unknown field `color`");
        refused("/manifest/color", json!("red"), "manifest.color: unknown field `color`");
        refused("/manifest/name", json!("A'; rm"), "name: \"A'; rm\" is no job name");
        refused("/manifest/git/remote", json!("ext::sh -c x"), "git.remote: ");
        refused("/manifest/git/remote", json!("file:///etc"), "cannot be fetched by `file`");
        refused("/manifest/git/directory", json!("../.."), "git.directory: ");
        refused("/manifest/git/branch", json!("--upload-pack=x"), "git.branch: ");
        refused(
            "/manifest/build_env",
            json!({"A=B": "x"}),
            "manifest.build_env: `A=B` is not a name of a variable",
        );
        refused("/manifest/labels", json!({"a": "x".repeat(300_000)}), "larger than");
        refused("/deployment_id", json!("../../etc"), "`../../etc` is not a UUID");
        refused("/deployment_id", json!("5c0a1d9e-7a40-4a8e-9d7c-0242ac12000/"), "is not a UUID");
        refused("/tag", json!("a b"), "not the tag");
        refused("/tag", json!("../x"), "not the tag");
        refused("/build_flags", json!(["--no-cache", "--secret"]), "`--secret` is not allowed");
        let large = json!({"A": "x".repeat(MAX_SECRETS / 2), "B": "x".repeat(MAX_SECRETS / 2), "C": "x"});
        refused("/secret_build_env", large, "have 131073 bytes together, and at most 131072 are taken");
        refused("/build_context", json!("***"), "extracting build context: it is not base64");
        refused("/secret_build_env", json!({"A": "x".repeat(2 << 20)}), "bytes beside `build_context`");
        assert!(parse_bytes(b"{").is_err());
    }

    #[test]
    fn secrets_are_not_repeated() {
        for (pointer, value) in [
            ("/git_credentials", json!("bob:hunter2")),
            ("/git_credentials", json!({"username": "bob", "password": ["hunter2"]})),
            ("/git_credentials", json!({"username": "bob", "password": "hunter2\nhost=x"})),
            ("/secret_build_env", json!("hunter2")),
            ("/secret_build_env", json!({"TOKEN": ["hunter2"]})),
            ("/secret_build_env", json!({"TOKEN": "hunter2\u{0}"})),
            ("/build_context", json!({"hunter2": 1})),
            ("/manifest/git/remote", json!("https://bob:hunter2@example.com/x")),
        ] {
            let error = parse(&with(pointer, value)).expect_err(pointer).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn secrets_are_known() {
        let mut body = with("/secret_build_env", json!({"TOKEN": "s3cret"}));
        body["git_credentials"] = json!({"username": "bob", "password": "hunter2"});
        let request = parse(&body).expect("valid");
        assert_eq!(secrets(request.source.credentials(), &request.secret_build_env), ["s3cret", "hunter2"]);
        for (caller, shown) in [
            ("ghp_0123456789abcdefghij", "cloning https://[redacted]@example.com/x for [redacted]"),
            ("bob", "cloning https://[redacted]example.com/x for bob"),
        ] {
            body["manifest"]["git"]["remote"] = json!(format!("https://{caller}@example.com/x"));
            let of_caller = parse(&body).expect("is taken");
            let text = format!("cloning https://{caller}@example.com/x for {caller}");
            assert_eq!(of_caller.redaction.apply(&text), shown);
        }
        assert_eq!(request.redaction.apply("s3cret, hunter2"), "[redacted], [redacted]");
        assert!(!format!("{request:?}").contains("hunter2"));
        body["git_credentials"] = json!({"username": "", "password": ""});
        let request = parse(&body).expect("valid");
        assert!(matches!(request.source, RequestedSource::Git { credentials: None, .. }));
    }
}
