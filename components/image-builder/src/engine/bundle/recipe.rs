//! Runs the recipes of job types so that none of them can stop image-builder.
//!
//! Each runs on a thread of its own: one that waits for ever is ended by its time limit, one that blocks its thread is
//! given up. What recipes await and spawn runs on a tokio runtime apart from the server's.

use std::any::Any;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use racetrack_core::host::failure::HookFailureCause;
use racetrack_core::{BundleRecipe, EnvVars, HookResult, JobBundle, JobManifest, MakeBundle};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::cache::CacheHold;
use crate::build_log::BuildLog;
use crate::supervisor;
use crate::workspace::ScratchFolder;

/// Threads for what recipes await and spawn.
const WORKER_THREADS: usize = 2;

/// How long a recipe may take to notice that its time is over.
const GRACE: Duration = Duration::from_secs(1);

/// The threads of recipes.
#[derive(Debug)]
pub(super) struct RecipeRuntime {
    /// Taken when dropped, because only a taken runtime can be dropped from within another one.
    runtime: Option<Runtime>,
}

/// A recipe, and what it is given.
pub(super) struct RecipeTask {
    pub(super) recipe: Arc<dyn BundleRecipe>,
    pub(super) manifest: Arc<JobManifest>,
    pub(super) job_type: String,
    /// Stays until the recipe has ended, whoever still waits for it.
    pub(super) bundle: ScratchFolder,
    pub(super) cache: PathBuf,
    /// Keeps in the cache what the recipe finds there: until it has ended, and its bundle can be seen.
    pub(super) _cache_hold: Arc<CacheHold>,
    pub(super) build_secrets: Arc<EnvVars>,
    pub(super) no_cache: bool,
    pub(super) log: Arc<BuildLog>,
}

/// Why a recipe made no bundle.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecipeError {
    #[error("its recipe failed")]
    Failed(#[source] HookFailureCause),
    #[error("the system gives no thread to run its recipe on")]
    Thread(#[source] io::Error),
}

impl RecipeRuntime {
    pub(super) fn start() -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(WORKER_THREADS).thread_name("recipes").enable_all().build()?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Runs a recipe, for as long as `limit` and this future last.
    pub(super) async fn run(&self, task: RecipeTask, limit: Duration) -> Result<JobBundle, RecipeError> {
        let runtime = self.runtime.as_ref().expect("is taken only when dropped").handle().clone();
        // Dropped with this future, which is how the recipe is told to end.
        let (stop, mut stopped) = oneshot::channel::<()>();
        let (sender, mut answer) = oneshot::channel();
        let span = tracing::Span::current();
        let run = move || {
            let _entered = span.entered();
            let made = runtime.block_on(async {
                tokio::select! {
                    biased;
                    // Only ever dropped.
                    _ = &mut stopped => None,
                    made = AssertUnwindSafe(call(&task)).catch_unwind() => Some(made),
                }
            });
            // The folder is given back before the answer, so that whoever gets the answer is its last holder.
            drop(task);
            if let Some(made) = made {
                // Nobody listens when the recipe was given up in this very moment.
                let _ = sender.send(outcome(made));
            }
        };
        std::thread::Builder::new().name("recipe".to_owned()).spawn(run).map_err(RecipeError::Thread)?;
        let Ok(answer) = tokio::time::timeout(limit, &mut answer).await else {
            drop(stop);
            let has_stopped = tokio::time::timeout(GRACE, answer).await.is_ok();
            return Err(RecipeError::Failed(if has_stopped {
                HookFailureCause::TimedOut { limit }
            } else {
                HookFailureCause::Blocked { limit }
            }));
        };
        let lost = || HookFailureCause::Panic { message: "the thread of the recipe ended".to_owned() };
        answer.unwrap_or_else(|_| Err(lost())).map_err(RecipeError::Failed)
    }
}

async fn call(task: &RecipeTask) -> HookResult<JobBundle> {
    let none = EnvVars::new();
    let build_env = task.manifest.build_env.as_ref().unwrap_or(&none);
    let log = |line: &str| task.log.line(line);
    let request = MakeBundle::new(&task.manifest, &task.job_type, task.bundle.path(), &task.cache, &log);
    let request = request.with_variables(build_env, &task.build_secrets).without_cache(task.no_cache);
    let request = request.with_launcher(supervisor::launcher());
    task.recipe.make_bundle(request).await
}

fn outcome(made: Result<HookResult<JobBundle>, Box<dyn Any + Send>>) -> Result<JobBundle, HookFailureCause> {
    match made {
        Ok(made) => made.map_err(HookFailureCause::from),
        Err(payload) => Err(HookFailureCause::from_panic(&*payload)),
    }
}

impl Drop for RecipeRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
