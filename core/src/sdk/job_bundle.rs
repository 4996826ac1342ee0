//! Job bundles: folders from which a process of a job can be started, and the recipes that make them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::model::job_manifest::JobManifest;
use crate::sdk::hook_result::{EnvVars, HookResult};
use crate::sdk::tool_launcher::ToolLauncher;

/// The file in the root of a job bundle that holds its [`JobBundle`], as JSON.
pub const FILE_NAME: &str = "job-bundle.json";

/// The folder of a job bundle that holds the source of the job.
pub const JOB_FOLDER: &str = "job";

/// Stands for the port in the arguments of [`JobBundle::command`].
pub const PORT_PLACEHOLDER: &str = "{port}";

/// The file that makes a folder of the [cache](MakeBundle::cache) an *entry*, which image-builder may remove again. The time
/// of its last modification is when a build last used the entry.
pub const CACHE_ENTRY_FILE: &str = ".racetrack-complete";

/// The file that says of an entry of the cache that another one has taken its place, so that no build will use it again.
pub const SUPERSEDED_ENTRY_FILE: &str = ".racetrack-superseded";

/// How to start a process of a job. The process is started in the [job folder](JOB_FOLDER) of its bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobBundle {
    /// The job type that made the bundle, with its exact version.
    pub job_type: String,
    /// The program and its arguments. A program path that begins with `./` is relative to the bundle. In the
    /// arguments, [`{port}`](PORT_PLACEHOLDER) stands for the port to listen on.
    pub command: Vec<String>,
    /// Variables that the process needs besides those of the job. Image-builder adds `GIT_VERSION`, the revision of the
    /// source, and `DEPLOYED_BY_RACETRACK_VERSION`, the version of the platform.
    pub env: BTreeMap<String, String>,
}

/// Makes job bundles for one job type.
#[async_trait]
pub trait BundleRecipe: Send + Sync + 'static {
    /// Makes whatever the job needs to start and says how to start it. Called on image-builder, for each build.
    ///
    /// # Errors
    /// Whatever keeps the job from being built; the deployment fails with the text. What went to
    /// [`log`](MakeBundle::log) is kept.
    async fn make_bundle(&self, request: MakeBundle<'_>) -> HookResult<JobBundle>;
}

/// What a recipe is given.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct MakeBundle<'a> {
    /// The manifest of the job.
    pub manifest: &'a JobManifest,
    /// The job type, with its exact version.
    pub job_type: &'a str,
    /// The bundle being made; it becomes immutable when the recipe is done. Its [job folder](JOB_FOLDER) already holds
    /// the source of the job.
    pub bundle: &'a Path,
    /// A folder that outlives the build and is shared by all builds of all job types, also by builds that run at the
    /// same time; what is put there must appear atomically.
    ///
    /// A folder in it, up to four levels down, is an *entry* if it holds the file [`CACHE_ENTRY_FILE`]. While nothing is
    /// built, image-builder removes an entry that is not named in the command or the environment of any bundle and that
    /// no build has used for long, or that has a [`SUPERSEDED_ENTRY_FILE`]. Everything else in the cache stays for ever.
    pub cache: &'a Path,
    /// Variables of the build.
    pub build_env: &'a EnvVars,
    /// Secret variables of the build; they must not end up in the bundle, the cache or the log.
    pub build_secrets: &'a EnvVars,
    /// Whether nothing is to be used that former builds have left in the cache: what is resolved, is resolved anew, and what
    /// is compiled, is compiled anew. What they have left stays as it is, because jobs may run from it; what this build makes
    /// takes its place for later builds.
    pub no_cache: bool,
    /// Starts the tools of the build, so that nothing of them is left when the build has ended.
    pub launcher: &'a ToolLauncher,
    /// Takes one line of the build log.
    pub log: &'a (dyn Fn(&str) + Send + Sync),
}

impl<'a> MakeBundle<'a> {
    /// A request without variables.
    pub fn new(
        manifest: &'a JobManifest,
        job_type: &'a str,
        bundle: &'a Path,
        cache: &'a Path,
        log: &'a (dyn Fn(&str) + Send + Sync),
    ) -> Self {
        const NONE: &EnvVars = &EnvVars::new();
        const DIRECT: &ToolLauncher = &ToolLauncher::direct();
        Self {
            manifest,
            job_type,
            bundle,
            cache,
            build_env: NONE,
            build_secrets: NONE,
            no_cache: false,
            launcher: DIRECT,
            log,
        }
    }

    /// The request with a launcher of tools.
    #[must_use]
    pub const fn with_launcher(mut self, launcher: &'a ToolLauncher) -> Self {
        self.launcher = launcher;
        self
    }

    /// The request of a build that may use the cache or may not.
    #[must_use]
    pub const fn without_cache(mut self, no_cache: bool) -> Self {
        self.no_cache = no_cache;
        self
    }

    /// The request with variables of the build.
    #[must_use]
    pub const fn with_variables(mut self, build_env: &'a EnvVars, build_secrets: &'a EnvVars) -> Self {
        self.build_env = build_env;
        self.build_secrets = build_secrets;
        self
    }
}

impl fmt::Debug for MakeBundle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MakeBundle")
            .field("job", &self.manifest.name)
            .field("job_type", &self.job_type)
            .field("bundle", &self.bundle)
            .field("build_env", &self.build_env.keys())
            .field("build_secrets", &self.build_secrets.keys())
            .field("no_cache", &self.no_cache)
            .finish_non_exhaustive()
    }
}
