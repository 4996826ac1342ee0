//! The `bundle` engine: makes job bundles by the recipes of job types. The name of such an image is the absolute path of
//! its bundle.
//!
//! A bundle is made under a temporary name and renamed to the digest of what is in it, so that one that can be seen is
//! complete, and two builds of the same job share it.
//!
//! A bundle goes when every lifecycle that it was made for says that it may (see [`crate::retention`]); what it needs of the
//! cache goes after it.

mod cache;
mod error;
mod recipe;
mod store;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use racetrack_core::job_bundle::{FILE_NAME, JOB_FOLDER, JobBundle};
use racetrack_core::{EnvVars, JobType};

use self::cache::BundleCache;
pub(crate) use self::error::BundleEngineError;
use self::recipe::{RecipeError, RecipeRuntime, RecipeTask};
use self::store::BundleStore;
use super::{EngineError, EngineRequest, ImageEngine};
use crate::blocking::on_a_thread;
use crate::folder::removal::RemovalCounts;
use crate::folder::{digest, removal, tree};
use crate::identifier::PlatformId;
use crate::retention::{HeldImage, Mark, Owner, RemainingImages, RetentionError};
use crate::settings::BuildConfig;
use crate::workspace::ScratchFolder;

/// What the names of bundles that are being made begin with.
const TEMPORARY: &str = ".tmp-";

/// The variable of a job with the revision of its source.
const GIT_VERSION: &str = "GIT_VERSION";

/// The variable of a job with the version of the platform that built it.
const PLATFORM_VERSION: &str = "DEPLOYED_BY_RACETRACK_VERSION";

/// The version of the platform, as jobs tell it.
#[derive(Clone, Debug)]
pub(crate) struct PlatformVersion(String);

/// Makes job bundles.
#[derive(Debug)]
pub(crate) struct BundleEngine {
    bundles: Arc<BundleStore>,
    cache: BundleCache,
    platform: PlatformVersion,
    recipes: RecipeRuntime,
    limit: Duration,
    made: AtomicU64,
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
enum BundleError {
    #[error(
        "the `bundle` engine cannot build job type `{0}`, which makes container images only; choose a job type with a \
         recipe for job bundles, or add one to the plugin of this job type (`JobType::with_recipe`)"
    )]
    NoRecipe(String),
    #[error("cannot copy the source of the job")]
    Copy(#[source] io::Error),
    #[error("cannot lock the cache of builds")]
    Cache(#[source] io::Error),
    #[error("job type `{job_type}`")]
    Recipe {
        job_type: String,
        #[source]
        source: RecipeError,
    },
    #[error("job type `{job_type}` made a bundle that cannot be started: {reason}")]
    Unusable { job_type: String, reason: &'static str },
    #[error("cannot store the bundle")]
    Store(#[source] io::Error),
}

impl PlatformVersion {
    /// The tag of the platform's images; `latest` without one.
    pub(crate) fn of_tag(tag: &str) -> Self {
        Self(if tag.is_empty() { "latest" } else { tag }.to_owned())
    }
}

impl BundleEngine {
    /// Makes the folders, and removes what interrupted builds left in them.
    pub(crate) fn open(config: &BuildConfig, platform: PlatformVersion) -> Result<Self, BundleEngineError> {
        let bundles = make_folder(&config.bundles_folder)?;
        let cache = make_folder(&config.bundle_cache_folder)?;
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |source| BundleEngineError::Folder { path, source }
        };
        let bundles = Arc::new(BundleStore::open(bundles)?);
        let folder = bundles.folder();
        removal::remove_leftovers(folder, |name| name.starts_with(TEMPORARY)).map_err(unusable(folder))?;
        let opened = BundleCache::open(cache.clone(), folder, config.unused_cache_lifetime);
        let cache = opened.map_err(unusable(&cache))?;
        let recipes = RecipeRuntime::start().map_err(BundleEngineError::Threads)?;
        let (limit, made) = (config.build_time_limit, AtomicU64::new(0));
        Ok(Self { bundles, cache, platform, recipes, limit, made })
    }

    async fn make(&self, request: EngineRequest) -> Result<PathBuf, BundleError> {
        let EngineRequest {
            manifest,
            job_type_name: job_type,
            source,
            git_version,
            workspace,
            build_secrets,
            no_cache,
            owner,
            log,
            ..
        } = request;
        let recipe = request.job_type.recipe().map(Arc::clone);
        let recipe = recipe.ok_or_else(|| BundleError::NoRecipe(job_type.clone()))?;
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let path = self.bundles.folder().join(format!("{TEMPORARY}{}-{number}", std::process::id()));
        let bundle = ScratchFolder::create(path).map_err(BundleError::Copy)?;
        let target = bundle.clone();
        let copied = on_a_thread(move || {
            let _workspace = workspace;
            tree::copy(&source, &target.path().join(JOB_FOLDER))
        });
        copied.await.map_err(BundleError::Copy)?;

        let cache = self.cache.clone();
        let cache_hold = on_a_thread(move || cache.hold()).await.map_err(BundleError::Cache)?;
        let cache_hold = Arc::new(cache_hold);
        let task = RecipeTask {
            recipe,
            manifest,
            job_type: job_type.clone(),
            bundle: bundle.clone(),
            cache: self.cache.path().to_owned(),
            _cache_hold: Arc::clone(&cache_hold),
            build_secrets: Arc::clone(&build_secrets),
            no_cache,
            log: Arc::clone(&log),
        };
        let mut description = match self.recipes.run(task, self.limit).await {
            Ok(description) => description,
            Err(source) => return Err(BundleError::Recipe { job_type, source }),
        };
        if let Some(reason) = wrong(&description, bundle.path(), &build_secrets) {
            return Err(BundleError::Unusable { job_type, reason });
        }
        // In the bundle, and so the same after restarts, moves and further instances.
        description.env.insert(GIT_VERSION.to_owned(), git_version);
        description.env.insert(PLATFORM_VERSION.to_owned(), self.platform.0.clone());
        let bundles = Arc::clone(&self.bundles);
        let stored = on_a_thread(move || {
            let _hold = cache_hold;
            store(&description, &bundle, &bundles, owner.as_ref())
        });
        let stored = stored.await;
        let (path, is_new) = stored.map_err(BundleError::Store)?;
        let verb = if is_new { "made" } else { "reused" };
        log.line(&format!("{verb} the job bundle {}", path.display()));
        Ok(path)
    }
}

#[async_trait]
impl ImageEngine for BundleEngine {
    fn name(&self) -> &'static str {
        "bundle"
    }

    fn folders(&self) -> Vec<PathBuf> {
        vec![self.bundles.folder().to_owned(), self.cache.path().to_owned()]
    }

    async fn build(&self, request: EngineRequest) -> Result<Vec<String>, EngineError> {
        let path = self.make(request).await.map_err(EngineError::new)?;
        Ok(vec![path.to_string_lossy().into_owned()])
    }

    fn images(&self, _: &JobType) -> usize {
        1
    }

    fn held(&self, platform: &PlatformId) -> io::Result<(Mark, Vec<HeldImage>)> {
        self.bundles.held(platform)
    }

    fn release(
        &self,
        platform: &PlatformId,
        mark: Mark,
        images: &[String],
    ) -> Result<RemovalCounts, RetentionError> {
        self.bundles.release(platform, mark, images)
    }

    fn clean_cache(&self) -> RemovalCounts {
        self.cache.clean()
    }

    fn remaining(&self) -> io::Result<RemainingImages> {
        self.bundles.remaining()
    }
}

fn make_folder(path: &Path) -> Result<PathBuf, BundleEngineError> {
    let made = fs_err::create_dir_all(path).and_then(|()| fs_err::canonicalize(path));
    made.map_err(|source| BundleEngineError::Folder { path: path.to_owned(), source })
}

/// Why no process can be started from the bundle.
fn wrong(bundle: &JobBundle, folder: &Path, secrets: &EnvVars) -> Option<&'static str> {
    let Some(program) = bundle.command.first().filter(|program| !program.is_empty()) else {
        return Some("its command is empty");
    };
    let mut texts = bundle.command.iter().chain(bundle.env.values());
    // What cannot be meant as a secret is not looked for: every command has an `a`.
    let mut secrets = secrets.values().filter(|secret| secret.len() > 3);
    if secrets.any(|secret| texts.clone().any(|text| text.contains(secret))) {
        return Some("its command or environment holds a secret variable of the build");
    }
    if texts.any(|text| text.contains('\0')) {
        return Some("its command or environment has a NUL character");
    }
    let in_bundle = program.strip_prefix("./").map(|relative| folder.join(relative));
    let is_missing = in_bundle.is_some_and(|program| !program.is_file());
    is_missing.then_some("the program of its command is not in it")
}

/// Gives the bundle its final name. Returns the path, and whether it is new.
fn store(
    bundle: &JobBundle,
    folder: &ScratchFolder,
    bundles: &BundleStore,
    owner: Option<&Owner>,
) -> io::Result<(PathBuf, bool)> {
    let description = serde_json::to_vec_pretty(bundle)?;
    let description_path = folder.path().join(FILE_NAME);
    // A file of that name that the recipe made is not ours.
    fs_err::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(description_path)
        .and_then(|mut file| io::Write::write_all(&mut file, &description))?;
    tree::make_read_only(folder.path())?;
    let (digest, bytes) = (digest::of(folder.path())?, tree::size(folder.path())?);
    bundles.put(folder.path(), &digest, bytes, owner)
}
