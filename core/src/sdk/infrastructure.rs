//! Infrastructure targets: where jobs run, and how they are deployed, watched and listened to there.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;

use crate::model::job::Job;
use crate::model::job_manifest::JobManifest;
use crate::model::secrets::JobSecrets;
use crate::sdk::hook_result::{EnvVars, HookResult};

/// A place where jobs can be deployed. Each part may be absent: a target that cannot stream logs still deploys.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct InfrastructureTarget {
    /// Deploys and deletes jobs.
    pub job_deployer: Option<Arc<dyn JobDeployer>>,
    /// Tells which jobs there are, and how they do.
    pub job_monitor: Option<Arc<dyn JobMonitor>>,
    /// Follows the logs of jobs.
    pub logs_streamer: Option<Arc<dyn LogsStreamer>>,
    /// The gateway through which the jobs of a remote target are called.
    pub remote_gateway_url: Option<String>,
    /// What that gateway asks for.
    pub remote_gateway_token: Option<String>,
}

/// Deploys and deletes jobs on one target.
#[async_trait]
pub trait JobDeployer: Send + Sync + 'static {
    /// Starts the job. Returns when the target has accepted it, not when it answers: that is for
    /// [`JobMonitor::check_job_condition`].
    ///
    /// An instance of the same name and version that is already there should keep serving until the new one is known to
    /// answer: `check_job_condition` of the same target then retires it, or removes the new one if it does not answer.
    /// The job returned names the new instance; callers are sent there only after the check.
    ///
    /// # Errors
    /// Whatever keeps the target from starting it; the deployment fails.
    async fn deploy_job(&self, request: DeployJob<'_>) -> HookResult<Job>;

    /// Removes the job and all that belongs to it, its secrets included; these last, because a job that stays can still
    /// be deployed again. What takes longer than the caller waits should go on without it.
    ///
    /// # Errors
    /// Whatever keeps it in place. That the job is not there is no error.
    async fn delete_job(&self, name: &str, version: &str) -> HookResult;

    /// Whether the target has the job, in whatever condition.
    ///
    /// # Errors
    /// When the target cannot tell.
    async fn job_exists(&self, name: &str, version: &str) -> HookResult<bool>;

    /// Keeps the secrets of the job, for later redeployments. Called before [`deploy_job`](Self::deploy_job), which is
    /// called alone where the kept ones stay.
    ///
    /// While an instance of the job serves, these are the secrets of the next one: as long as that is not known to
    /// answer, [`get_job_secrets`](Self::get_job_secrets) should tell the former ones, and when it goes instead, its
    /// secrets should go too, also if lifecycle is killed in between. When a deployment fails, lifecycle saves the former
    /// ones again.
    ///
    /// # Errors
    /// When they cannot be kept; the deployment fails.
    async fn save_job_secrets(&self, name: &str, version: &str, secrets: &JobSecrets) -> HookResult;

    /// The secrets that were kept for the job: those of the instance in service, if there is one.
    ///
    /// # Errors
    /// When there are none, or they cannot be read.
    async fn get_job_secrets(&self, name: &str, version: &str) -> HookResult<JobSecrets>;

    /// Checks that the target can store what it has to on a disk of the machine of lifecycle, for example by writing a
    /// file. Called when somebody asks for the health or the readiness of lifecycle, at most once a second. While it
    /// fails, lifecycle is not ready. A remote service that does not answer is not a reason to fail here: lifecycle can
    /// still serve callers meanwhile.
    ///
    /// # Errors
    /// Why nothing can be stored, with the folder.
    async fn check_storage(&self) -> HookResult {
        Ok(())
    }
}

/// Tells which jobs a target has, and how they do.
#[async_trait]
pub trait JobMonitor: Send + Sync + 'static {
    /// Every job on the target, with its condition.
    ///
    /// # Errors
    /// When the target cannot tell. Its jobs then keep their status, marked stale; none is declared lost.
    async fn list_jobs(&self) -> HookResult<Vec<Job>>;

    /// Waits until the job answers, or is known not to. In the first case an older instance is retired, in the second
    /// the new one is removed and the older one, if there is any, stays in place.
    ///
    /// `on_job_alive` is called once, when the server of the job answers and its entrypoint is still being
    /// initialized. `deployment_timestamp` tells a new instance of the job from an old one.
    ///
    /// # Errors
    /// The reason why the job does not answer, with its last log lines where `logs_on_error` asks for them.
    async fn check_job_condition(
        &self,
        job: &Job,
        deployment_timestamp: i64,
        on_job_alive: &(dyn Fn() + Send + Sync),
        logs_on_error: bool,
    ) -> HookResult;

    /// The last lines the job wrote; `tail` is how many, 0 means all there are.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn read_recent_logs(&self, job: &Job, tail: usize) -> HookResult<String>;

    /// The names of the images that instances on the target were started from, in whatever condition they are: also of
    /// those that are being retired, and of jobs that lifecycle does not know. They are not removed. A target whose
    /// instances do not need the image any more once they run can do without this.
    ///
    /// # Errors
    /// When the target cannot tell of all. No image is removed then.
    async fn images_in_use(&self) -> HookResult<Vec<String>> {
        Ok(Vec::new())
    }
}

/// Follows the logs of the jobs of a target.
#[async_trait]
pub trait LogsStreamer: Send + Sync + 'static {
    /// Starts to hand the lines of a job to `on_line`, which may make the streamer wait, until the session is closed.
    ///
    /// # Errors
    /// When the job cannot be followed.
    async fn create_session(&self, session: LogsSession, on_line: OnLine) -> HookResult;

    /// Ends a session and frees what it holds. That there is no such session is no error.
    ///
    /// # Errors
    /// When it cannot be ended.
    async fn close_session(&self, session_id: &str) -> HookResult;
}

/// Takes one line of a log, and is ready when the reader wants the next one.
pub type OnLine = Arc<dyn Fn(String) -> BoxFuture<'static, ()> + Send + Sync>;

/// One reader of the log of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogsSession {
    /// Names the session, uniquely.
    pub id: String,
    /// The name of the job.
    pub job_name: String,
    /// Its exact version.
    pub job_version: String,
    /// How many of the lines already written to begin with.
    pub tail: Option<usize>,
}

/// What a deployer is given to start a job.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DeployJob<'a> {
    /// The manifest of the job.
    pub manifest: &'a JobManifest,
    /// The names of its images; the first one is the entrypoint.
    pub image_names: &'a [String],
    /// The tag of the images.
    pub tag: &'a str,
    /// The environment of the job, without its secrets.
    pub runtime_env_vars: &'a EnvVars,
    /// The secret part of the environment of the job.
    pub runtime_secret_vars: &'a EnvVars,
    /// Seconds since 1970; the job tells it back, so that a new instance can be told from an old one.
    pub deployment_timestamp: i64,
}

impl<'a> DeployJob<'a> {
    /// A request without variables.
    pub fn new(
        manifest: &'a JobManifest,
        image_names: &'a [String],
        tag: &'a str,
        deployment_timestamp: i64,
    ) -> Self {
        const NONE: &EnvVars = &EnvVars::new();
        Self {
            manifest,
            image_names,
            tag,
            runtime_env_vars: NONE,
            runtime_secret_vars: NONE,
            deployment_timestamp,
        }
    }

    /// The request with the environment of the job, and the secret part of it.
    #[must_use]
    pub const fn with_variables(mut self, variables: &'a EnvVars, secret_variables: &'a EnvVars) -> Self {
        self.runtime_env_vars = variables;
        self.runtime_secret_vars = secret_variables;
        self
    }
}

impl InfrastructureTarget {
    /// A target that deploys and watches jobs.
    pub fn new(job_deployer: Arc<dyn JobDeployer>, job_monitor: Arc<dyn JobMonitor>) -> Self {
        Self { job_deployer: Some(job_deployer), job_monitor: Some(job_monitor), ..Self::default() }
    }

    /// The same target, able to follow logs.
    #[must_use]
    pub fn with_logs_streamer(mut self, logs_streamer: Arc<dyn LogsStreamer>) -> Self {
        self.logs_streamer = Some(logs_streamer);
        self
    }

    /// The same target, behind a gateway.
    #[must_use]
    pub fn behind_gateway(mut self, url: &str, token: Option<&str>) -> Self {
        self.remote_gateway_url = Some(url.to_owned());
        self.remote_gateway_token = token.map(str::to_owned);
        self
    }
}

impl fmt::Debug for InfrastructureTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InfrastructureTarget")
            .field("job_deployer", &self.job_deployer.is_some())
            .field("job_monitor", &self.job_monitor.is_some())
            .field("logs_streamer", &self.logs_streamer.is_some())
            .field("remote_gateway_url", &self.remote_gateway_url)
            .finish_non_exhaustive()
    }
}

impl LogsSession {
    /// A session that begins with the next line.
    pub fn new(id: &str, job_name: &str, job_version: &str) -> Self {
        Self {
            id: id.to_owned(),
            job_name: job_name.to_owned(),
            job_version: job_version.to_owned(),
            tail: None,
        }
    }
}
