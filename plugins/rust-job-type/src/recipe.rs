//! Makes the bundle of a Rust job: one program, compiled in the cache and copied into the bundle.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use racetrack_core::context::Resources;
use racetrack_core::job_bundle::{JOB_FOLDER, PORT_PLACEHOLDER};
use racetrack_core::redaction::Redaction;
use racetrack_core::{BundleRecipe, EnvVars, HookResult, JobBundle, MakeBundle, async_trait};

use crate::command::{self, CommandError, Tool};
use crate::config::{self, RustConfig};
use crate::job_crate::JobCrate;
use crate::job_folder::{self, JobFolder, JobFolderError};
use crate::job_type_extra;
use crate::lock;

/// The program in the root of the bundle.
const PROGRAM: &str = "racetrack-job";

/// The resource files of the server begin with it, and so does their folder in the cache.
const SERVER_FOLDER: &str = "server/";

/// Makes bundles of Rust jobs.
pub(crate) struct RustRecipe {
    version: String,
    config: RustConfig,
    resources: Resources,
}

/// Why a job could not be compiled.
#[derive(Debug, thiserror::Error)]
enum RustRecipeError {
    /// Cargo could not be run.
    #[error(
        "cannot run cargo: install Rust on the machine of image-builder, or name its cargo by `cargo` in the \
         configuration of the plugin `rust-job-type`"
    )]
    NoCargo(#[source] CommandError),
    /// Cargo failed, because crates are missing.
    #[error(
        "cannot compile the job without crates that are not on the machine of image-builder: run `cargo fetch` in the \
         folder of the job there, or set `offline: false` in the configuration of the plugin `rust-job-type`"
    )]
    MissingCrates(#[source] CommandError),
    /// Cargo failed.
    #[error(
        "cannot compile the job, a library crate with `pub fn perform(input: …) -> Result<…>` in its root module"
    )]
    Cargo(#[source] CommandError),
    /// A lock cannot be had.
    #[error("cannot lock `{}`", .path.display())]
    Lock { path: PathBuf, source: io::Error },
}

impl RustRecipe {
    /// A recipe of one version of the plugin.
    pub(crate) fn new(version: &str, config: RustConfig, resources: Resources) -> Self {
        Self { version: version.to_owned(), config, resources }
    }

    /// Writes the source of the server into the cache; one build at a time, so that no other compiles half a file.
    async fn write_server(&self, cache: &Path, request: &MakeBundle<'_>) -> HookResult {
        let path = cache.join("locks/server.lock");
        let locked = lock::acquire(&path, &|_| {}).await;
        let _lock = locked.map_err(|source| RustRecipeError::Lock { path, source })?;
        for file in self.resources.iter().filter(|file| file.path.starts_with(SERVER_FOLDER)) {
            if job_folder::write_changed(&cache.join(file.path), file.content)? {
                (request.log)(&format!("writing {} into the cache", file.path));
            }
        }
        Ok(())
    }

    async fn compile(
        &self,
        folder: &JobFolder,
        target: &Path,
        lock: &File,
        request: &MakeBundle<'_>,
    ) -> Result<(), RustRecipeError> {
        let mut tool = Tool::new(request.launcher, self.config.cargo());
        let cargo = &mut tool.command;
        cargo.args(["build", "--release"]).current_dir(&folder.path);
        if self.config.offline {
            cargo.arg("--offline");
        }
        cargo.env_clear().envs(config::passed_on()).envs(request.build_env);
        cargo.envs(config::registry_tokens(request.build_secrets));
        cargo
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never");
        // Places in the source are told as the author of the job knows them.
        let crate_folder = format!("{}/", folder.crate_folder());
        let log = |line: &str| (request.log)(&line.replace(&crate_folder, ""));
        let compiled = command::run(
            tool,
            lock,
            &Redaction::new(command::SECRET, request.build_secrets.values().map(String::as_str)),
            &log,
        )
        .await;
        compiled.map_err(|error| match error {
            CommandError::Start { .. } => RustRecipeError::NoCargo(error),
            CommandError::Failed { program, status, last_lines } => {
                let is_offline = last_lines.contains("--offline");
                let last_lines = last_lines.replace(&crate_folder, "");
                let error = CommandError::Failed { program, status, last_lines };
                if is_offline { RustRecipeError::MissingCrates(error) } else { RustRecipeError::Cargo(error) }
            }
            CommandError::Watch { .. } => RustRecipeError::Cargo(error),
        })
    }
}

#[async_trait]
impl BundleRecipe for RustRecipe {
    async fn make_bundle(&self, request: MakeBundle<'_>) -> HookResult<JobBundle> {
        job_type_extra::check(request.manifest)?;
        let source = request.bundle.join(JOB_FOLDER);
        let job_crate = JobCrate::load(&source)?;
        warn(&request);
        let cache = request.cache.join("rust-job-type").join(&self.version);
        self.write_server(&cache, &request).await?;

        let job_name = &request.manifest.name;
        let path = cache.join(format!("locks/job-{job_name}.lock"));
        let locked = lock::acquire(&path, request.log).await;
        let lock = locked.map_err(|source| RustRecipeError::Lock { path, source })?;
        let folder = JobFolder::new(&cache.join("jobs"), job_name);
        let no_cache = request.no_cache;
        // Of its own, where nothing that was compiled before may be used.
        let target = if no_cache { folder.path.join("target-anew") } else { cache.join("target") };
        blocking({
            let (folder, target) = (folder.clone(), target.clone());
            move || {
                folder.restore_lock()?;
                if no_cache {
                    folder.set_lock_aside()?;
                    job_folder::remove(&target)?;
                }
                folder.write(&source, &job_crate)?;
                job_folder::note_use(&folder.path)?;
                if no_cache { Ok(()) } else { job_folder::note_use(&target) }
            }
        })
        .await?;
        let compiled = self.compile(&folder, &target, &lock, &request).await;
        let has_compiled = compiled.is_ok();
        let program = request.bundle.join(PROGRAM);
        let copied = blocking(move || {
            if has_compiled {
                folder.keep_lock()?;
                let compiled = target.join("release").join(folder.program());
                std::fs::copy(&compiled, &program).map_err(job_folder::failed("copy", &compiled))?;
            } else {
                folder.restore_lock()?;
            }
            if no_cache { job_folder::remove(&target) } else { Ok(()) }
        })
        .await;
        compiled?;
        copied?;

        let mut env = BTreeMap::new();
        if let Some((_, version)) = request.job_type.split_once(':') {
            env.insert("JOB_TYPE_VERSION".to_owned(), version.to_owned());
        }
        let program = format!("./{PROGRAM}");
        // Jobs ask for no token themselves, so they are reached only by what runs on the same machine.
        let command =
            [&program, "--host", "127.0.0.1", "--port", PORT_PLACEHOLDER].map(str::to_owned).to_vec();
        Ok(JobBundle { job_type: request.job_type.to_owned(), command, env })
    }
}

/// Logs what the manifest asks for and does not get.
fn warn(request: &MakeBundle<'_>) {
    if request.manifest.system_dependencies.as_ref().is_some_and(|packages| !packages.is_empty()) {
        (request.log)(
            "warning: `system_dependencies` are not installed; a job that runs as a process uses those of its machine",
        );
    }
    let withheld = withheld(request.build_secrets);
    if !withheld.is_empty() {
        (request.log)(&format!(
            "warning: build secrets are not given to the compiler, except tokens of registries: {}",
            withheld.join(", ")
        ));
    }
}

fn withheld(secrets: &EnvVars) -> Vec<&str> {
    secrets.keys().map(String::as_str).filter(|name| !config::is_registry_token(name)).collect()
}

/// Works with files off the threads of the runtime.
async fn blocking(work: impl FnOnce() -> Result<(), JobFolderError> + Send + 'static) -> HookResult {
    Ok(tokio::task::spawn_blocking(work).await??)
}
