//! Makes the bundle of a Python job: an environment that its requirements decide, and the command of the job runner.
//!
//! There are two layers, because the runner is large and the same for all jobs. The runner has a virtual environment
//! of its own; the packages of a job lie in a second folder, which the runner puts before its own packages when it
//! loads the job. So a new set of requirements costs the installation of just these.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use racetrack_core::job_bundle::{JOB_FOLDER, PORT_PLACEHOLDER};
use racetrack_core::redaction::Redaction;
use racetrack_core::tool_launcher::ToolLauncher;
use racetrack_core::{BundleRecipe, HookResult, JobBundle, JobManifest, MakeBundle, async_trait};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::cache_entry::{CacheEntry, Reuse};
use crate::command::{self, CommandError, Tool};
use crate::config::{self, Python3Config};
use crate::interpreter::{Interpreter, InterpreterError};
use crate::job_path;
use crate::job_type_extra::JobTypeExtra;
use crate::requirements::Requirements;

/// The folder of this job type in the cache.
const CACHE_FOLDER: &str = "python3-job-type";

/// The manifest of the job, for the runner; JSON is YAML too. It lies in the root of the bundle.
const MANIFEST_FILE: &str = "job-manifest.json";

/// What starts the runner, in the root of the bundle.
const START_FILE: &str = "start.py";

/// Has pip neither read nor write the cache of its user.
const NO_PIP_CACHE: &str = "--no-cache-dir";

/// The interpreter of a virtual environment.
const VENV_PYTHON: &str = "bin/python";

/// Makes bundles of Python jobs.
pub(crate) struct PythonRecipe {
    config: Python3Config,
    /// The interpreter, once asked: asking it anew would double the time of a build that finds all in the cache.
    interpreter: Mutex<Option<Interpreter>>,
}

/// Why an environment could not be made.
#[derive(Debug, thiserror::Error)]
enum EnvironmentError {
    /// The virtual environment of the runner.
    #[error("cannot make a virtual environment for the job runner")]
    Venv(#[source] CommandError),
    /// The runner itself.
    #[error(
        "cannot install racetrack-job-runner {version}: is the package index within reach of image-builder? pip is \
         configured as usual, by its own files and by `PIP_` variables in the environment of image-builder"
    )]
    Runner { version: String, source: CommandError },
    /// The packages of the job.
    #[error(
        "cannot install `{path}`: correct the requirements; for a private index, set `PIP_INDEX_URL` or \
         `PIP_EXTRA_INDEX_URL` in `build_env` or in the file of `secret_build_env_file`"
    )]
    Packages { path: String, source: CommandError },
}

/// A file for the runner cannot be put into the bundle.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{file}` into the bundle")]
struct WriteError {
    file: &'static str,
    source: io::Error,
}

/// The folder of the job cannot be found.
#[derive(Debug, thiserror::Error)]
#[error("cannot find the source of the job in the bundle")]
struct NoJobFolder(#[source] io::Error);

impl PythonRecipe {
    /// A recipe that has not looked for its interpreter yet.
    pub(crate) fn new(config: Python3Config) -> Self {
        Self { config, interpreter: Mutex::new(None) }
    }

    async fn interpreter(&self, reuse: Reuse) -> Result<Interpreter, InterpreterError> {
        let mut known = self.interpreter.lock().await;
        match &*known {
            Some(interpreter) if reuse == Reuse::Yes && interpreter.executable.exists() => {
                Ok(interpreter.clone())
            }
            _ => Ok(known.insert(Interpreter::find(&self.config.python).await?).clone()),
        }
    }

    /// The virtual environment with the runner.
    async fn runner(&self, interpreter: &Interpreter, request: &MakeBundle<'_>) -> HookResult<PathBuf> {
        let version = &self.config.runner_version;
        let executable = interpreter.executable.to_string_lossy();
        let key = key(Sha256::new(), &["runner", &interpreter.version, &executable, version]);
        let entry = CacheEntry::new(&request.cache.join(CACHE_FOLDER), "runners", &key);
        let no_secrets = Redaction::new(command::SECRET, []);
        let make = async |folder: PathBuf, lock: Arc<File>| {
            (request.log)(&format!("installing racetrack-job-runner {version} (once for all jobs)"));
            let mut venv = Tool::new(request.launcher, &interpreter.executable);
            venv.command.args(["-I", "-m", "venv"]).arg(&folder);
            venv.command.env_clear().envs(config::passed_on());
            command::run(venv, &lock, &no_secrets, request.log).await.map_err(EnvironmentError::Venv)?;
            let mut pip = pip(&folder, request.launcher);
            if request.no_cache {
                pip.command.arg(NO_PIP_CACHE);
            }
            pip.command.arg(format!("racetrack-job-runner=={version}"));
            let installed = command::run(pip, &lock, &no_secrets, request.log).await;
            installed.map_err(|source| EnvironmentError::Runner { version: version.clone(), source })
        };
        let ready = entry.ensure(Path::new(VENV_PYTHON), reuse(request), request.log, make).await?;
        if !ready.is_new {
            (request.log)(&format!("racetrack-job-runner {version} is in the cache"));
        }
        Ok(ready.folder)
    }
}

#[async_trait]
impl BundleRecipe for PythonRecipe {
    async fn make_bundle(&self, request: MakeBundle<'_>) -> HookResult<JobBundle> {
        let extra = JobTypeExtra::read(request.manifest)?;
        let job = request.bundle.join(JOB_FOLDER).canonicalize().map_err(NoJobFolder)?;
        job_path::resolve(&job, &extra.entrypoint_path)?;
        if request.manifest.system_dependencies.as_ref().is_some_and(|packages| !packages.is_empty()) {
            (request.log)(
                "warning: `system_dependencies` are not installed; a job that runs as a process uses those of its machine",
            );
        }
        let interpreter = self.interpreter(reuse(&request)).await?;
        let runner = self.runner(&interpreter, &request).await?;
        let packages = match &extra.requirements_path {
            Some(path) => packages(&runner, &interpreter, &job, path, &request).await?,
            None => None,
        };
        write_manifest(request.manifest, request.bundle)?;
        write(request.bundle, START_FILE, include_str!("start.py"))?;

        let mut env = BTreeMap::from(
            // Bundles are immutable, so no compiled files may appear in them.
            [("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONUNBUFFERED", "1")]
                .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        if let Some((_, version)) = request.job_type.split_once(':') {
            env.insert("JOB_TYPE_VERSION".to_owned(), version.to_owned());
        }
        if let Some(packages) = packages {
            env.insert("VENV_PACKAGES_PATH".to_owned(), text(&packages)?);
        }
        let start = format!("../{START_FILE}");
        let mut command = vec![text(&runner.join(VENV_PYTHON))?];
        command.extend(["-u", &start, "run", &extra.entrypoint_path].map(str::to_owned));
        command.extend(extra.entrypoint_class);
        let manifest = format!("../{MANIFEST_FILE}");
        command.extend(["--port", PORT_PLACEHOLDER, "--manifest-path", &manifest].map(str::to_owned));
        Ok(JobBundle { job_type: request.job_type.to_owned(), command, env })
    }
}

/// The folder with the packages of the job, if it needs any.
async fn packages(
    runner: &Path,
    interpreter: &Interpreter,
    job: &Path,
    path: &str,
    request: &MakeBundle<'_>,
) -> HookResult<Option<PathBuf>> {
    let requirements = Requirements::read(job, path)?;
    if requirements.is_empty {
        return Ok(None);
    }
    let mut digest = Sha256::new();
    requirements.add_to(&mut digest, job)?;
    let mut parts = vec!["packages", &interpreter.version, path];
    parts.extend(request.build_env.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
    if !request.build_secrets.is_empty() {
        // Not the values: the key is no secret. Packages that were installed with secrets are shared with no other
        // job, because its authors may not be allowed to have them.
        parts.extend(["secrets", &request.manifest.name]);
        parts.extend(request.build_secrets.keys().map(String::as_str));
    }
    let entry = CacheEntry::new(&request.cache.join(CACHE_FOLDER), "packages", &key(digest, &parts));
    let redaction = Redaction::new(command::SECRET, request.build_secrets.values().map(String::as_str));
    let make = async |folder: PathBuf, lock: Arc<File>| {
        (request.log)(&format!("installing the packages of `{path}`"));
        let mut pip = pip(runner, request.launcher);
        pip.command.arg("--target").arg(&folder).arg("--requirement").arg(path).current_dir(job);
        // pip's own cache is shared by all jobs.
        if request.no_cache || !request.build_secrets.is_empty() {
            pip.command.arg(NO_PIP_CACHE);
        }
        pip.command.envs(request.build_env).envs(request.build_secrets);
        let installed = command::run(pip, &lock, &redaction, request.log).await;
        installed.map_err(|source| EnvironmentError::Packages { path: path.to_owned(), source })
    };
    let ready = entry.ensure(Path::new(""), reuse(request), request.log, make).await?;
    if !ready.is_new {
        (request.log)(&format!("the packages of `{path}` are in the cache"));
    }
    Ok(Some(ready.folder))
}

/// Whether the build may use what others have left in the cache.
fn reuse(request: &MakeBundle<'_>) -> Reuse {
    if request.no_cache { Reuse::No } else { Reuse::Yes }
}

/// `pip install` of a virtual environment, with the machine's own configuration of pip.
fn pip<'a>(venv: &Path, launcher: &'a ToolLauncher) -> Tool<'a> {
    let mut tool = Tool::new(launcher, venv.join(VENV_PYTHON));
    let pip = &mut tool.command;
    // Isolated, so that modules of the job are not taken for parts of pip.
    pip.args(["-I", "-m", "pip", "install", "--no-input", "--progress-bar", "off"]);
    pip.args(["--disable-pip-version-check", "--no-warn-script-location"]);
    pip.env_clear().envs(config::passed_on());
    // A machine may be set up to install for its user; that contradicts the folder.
    pip.env("PIP_USER", "0");
    tool
}

/// The name of a cache entry.
fn key(mut digest: Sha256, parts: &[&str]) -> String {
    for part in parts {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    digest.finalize().iter().take(16).fold(String::new(), |mut key, byte| {
        write!(key, "{byte:02x}").expect("a String takes any text");
        key
    })
}

/// Writes the manifest for the runner, which knows `jobtype_extra` under no other name.
fn write_manifest(manifest: &JobManifest, bundle: &Path) -> Result<(), WriteError> {
    let json = serde_json::to_value(manifest);
    let mut json = json.map_err(|error| WriteError { file: MANIFEST_FILE, source: error.into() })?;
    if let (Some(extra), Value::Object(keys)) = (manifest.job_type_extra(), &mut json) {
        keys.insert("jobtype_extra".to_owned(), Value::Object(extra.clone()));
    }
    write(bundle, MANIFEST_FILE, &format!("{json:#}\n"))
}

fn write(bundle: &Path, file: &'static str, content: &str) -> Result<(), WriteError> {
    std::fs::write(bundle.join(file), content).map_err(|source| WriteError { file, source })
}

/// The path as text, as the description of a bundle needs it.
fn text(path: &Path) -> Result<String, String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| format!("the path `{}` of the cache is not valid UTF-8", path.display()))
}
