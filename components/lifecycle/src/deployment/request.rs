//! What comes with `POST /deploy`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Cursor;

use racetrack_core::error::chain;
use racetrack_core::job_manifest::{self, JobManifestError};
use racetrack_core::{GitCredentials, JobManifest, JobSecrets};
use racetrack_service::ApiError;
use racetrack_service::source_archive::{self, ArchiveError, ArchiveLimits};
use racetrack_service::upload::{MemoryPlace, SourceFile, Upload, UploadError};
use serde::Deserialize;
use serde_yaml::Mapping;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::variables;
use crate::document::schemas::{GitCredentialsSchema, JobManifestSchema};
use crate::extract::optional_object;

/// Whose turn it is to look through a build context. Each keeps a processor busy, for seconds when it is large.
static CONTEXT_CHECKS: Semaphore = Semaphore::const_new(2);

/// A job to deploy, with its secrets and, where it does not come from git, with its source.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeployRequest {
    /// The job manifest, as in `job.yaml`. Its keys keep their order.
    #[schema(value_type = JobManifestSchema)]
    pub(crate) manifest: Mapping,
    /// What the repository of the job asks for.
    #[serde(default, deserialize_with = "optional_object")]
    #[schema(value_type = Option<GitCredentialsSchema>)]
    git_credentials: Option<GitCredentials>,
    /// Variables that are in no manifest.
    #[serde(default, deserialize_with = "optional_object")]
    secret_vars: Option<SecretVariables>,
    /// The source of the job: a .tar.gz in base64. Without it, the source is what git has.
    #[serde(default)]
    #[expect(dead_code, reason = "is empty: its text has been taken out")]
    build_context: Option<String>,
    /// Whether to deploy over a version that is there, or was.
    #[serde(default)]
    pub(crate) force: Option<bool>,
    /// Flags for the engine that builds.
    #[serde(default)]
    pub(crate) build_flags: Vec<String>,
    /// The source, which is taken out of the request before it is parsed.
    #[serde(skip)]
    pub(crate) source: Option<SourceFile>,
    #[serde(skip)]
    is_base64: bool,
    /// For as long as any of this is there.
    #[serde(skip)]
    pub(crate) memory: Option<MemoryPlace>,
}

/// Variables that are in no manifest.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SecretVariables {
    /// Of the build.
    #[serde(default)]
    build_env: BTreeMap<String, String>,
    /// Of the running job.
    #[serde(default)]
    runtime_env: BTreeMap<String, String>,
}

/// A manifest that was read, with the text that is kept of it.
#[derive(Clone, Debug)]
pub(crate) struct ReadManifest {
    pub(crate) manifest: JobManifest,
    pub(crate) yaml: String,
}

impl DeployRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// 400, with the path of what is wrong.
    pub(crate) fn parse(upload: Upload) -> Result<Self, ApiError> {
        let mut json = serde_json::Deserializer::from_slice(&upload.rest);
        let request: Self = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            ApiError::invalid(format!("the request is not a deployment: {}", told(&error)))
        })?;
        json.end().map_err(|error| ApiError::invalid(format!("the request is not JSON: {error}")))?;
        let Upload { source, is_base64, memory, .. } = upload;
        Ok(Self { source, is_base64, memory, ..request })
    }

    /// The manifest.
    ///
    /// # Errors
    /// 400, with every rule that is broken.
    pub(crate) async fn read_manifest(&mut self) -> Result<ReadManifest, ApiError> {
        let mut manifest = std::mem::take(&mut self.manifest);
        let yaml = tokio::task::spawn_blocking(move || {
            manifest.retain(|_, value| !value.is_null());
            yaml_of(&manifest)
        });
        read_manifest(yaml.await.map_err(ApiError::internal)??).await
    }

    /// Looks through the source that comes with it, as image-builder will when it unpacks it.
    ///
    /// # Errors
    /// 400, with what is wrong in it.
    pub(crate) async fn check_build_context(&mut self, limits: ArchiveLimits) -> Result<(), ApiError> {
        if !self.is_base64 {
            return Err(ApiError::invalid("build_context: it is not base64"));
        }
        let Some(source) = self.source.take() else { return Ok(()) };
        let turn = CONTEXT_CHECKS.acquire().await.map_err(ApiError::internal)?;
        let checked = tokio::task::spawn_blocking(move || {
            // Held to the end of the work, also when whoever asked goes away.
            let _turn = turn;
            checked_source(source, limits)
        });
        self.source = Some(checked.await.map_err(ApiError::internal)??);
        Ok(())
    }

    /// Checks the variables that are in no manifest.
    ///
    /// # Errors
    /// 400, with every rule that is broken, and where.
    pub(crate) fn check_secret_variables(&self) -> Result<(), ApiError> {
        let Some(SecretVariables { build_env, runtime_env }) = &self.secret_vars else { return Ok(()) };
        variables::check_secrets(build_env, runtime_env)
    }

    /// The secrets that come with it.
    pub(crate) fn secrets(&mut self) -> JobSecrets {
        let SecretVariables { build_env, runtime_env } = self.secret_vars.take().unwrap_or_default();
        JobSecrets::new(self.git_credentials.take(), build_env, runtime_env)
    }
}

/// Reads the text of a manifest.
///
/// # Errors
/// 400, with every rule that is broken.
pub(crate) async fn read_manifest(yaml: String) -> Result<ReadManifest, ApiError> {
    read_by(JobManifest::parse, yaml).await
}

/// Reads the text of a manifest that was taken once, maybe by an earlier version, which took more.
///
/// # Errors
/// 400, with every rule that is broken.
pub(crate) async fn read_stored_manifest(yaml: String) -> Result<ReadManifest, ApiError> {
    read_by(JobManifest::parse_stored, yaml).await
}

async fn read_by(
    parse: fn(&str) -> Result<JobManifest, JobManifestError>,
    yaml: String,
) -> Result<ReadManifest, ApiError> {
    // The largest that is taken keeps a thread for some milliseconds.
    let read = tokio::task::spawn_blocking(move || match parse(&yaml) {
        Ok(manifest) => Ok(ReadManifest { manifest, yaml }),
        Err(error) => Err(invalid_manifest(&error)),
    });
    read.await.map_err(ApiError::internal)?
}

fn invalid_manifest(error: &JobManifestError) -> ApiError {
    ApiError::invalid(format!("validating manifest: {}", chain(error)))
}

/// The manifest as text. Many levels make it much longer than it came: nothing is written beyond what can be read again.
fn yaml_of(manifest: &Mapping) -> Result<String, ApiError> {
    let mut text = Cursor::new(vec![0; job_manifest::MAX_SIZE].into_boxed_slice());
    if let Err(error) = serde_yaml::to_writer(&mut text, manifest) {
        let is_full = text.position() >= job_manifest::MAX_SIZE as u64;
        return Err(if is_full {
            invalid_manifest(&JobManifestError::TooLarge)
        } else {
            ApiError::internal(error)
        });
    }
    let length = usize::try_from(text.position()).unwrap_or(usize::MAX);
    let mut bytes = text.into_inner().into_vec();
    bytes.truncate(length);
    String::from_utf8(bytes).map_err(ApiError::internal)
}

/// Why an upload is not a request, as its sender is told.
pub(crate) fn refused_upload(error: UploadError) -> ApiError {
    match error {
        UploadError::Rest(error) => ApiError::invalid(format!("the request is not a deployment: {error}")),
        error => error.into(),
    }
}

fn checked_source(source: SourceFile, limits: ArchiveLimits) -> Result<SourceFile, ApiError> {
    let wrong = |error: ArchiveError| ApiError::invalid(format!("build_context: {}", chain(&error)));
    source_archive::check(source.reader(), source.size(), limits).map_err(wrong)?;
    Ok(source)
}

/// What is wrong with a request, with its path. Of what is secret, the value is left out: answers end up in logs.
fn told(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let path = error.path().to_string();
    let is_secret = ["git_credentials", "secret_vars"].iter().any(|secret| path.starts_with(secret));
    let without_value = || {
        let text = error.inner().to_string();
        let (kind, _) = text.strip_prefix("invalid ")?.split_once(": ")?;
        let (_, expected) = text.rsplit_once(", expected ")?;
        Some(format!("{path}: invalid {kind}, expected {expected}"))
    };
    let without_value = if is_secret { without_value() } else { None };
    without_value.unwrap_or_else(|| error.to_string())
}

impl fmt::Debug for DeployRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeployRequest").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}
