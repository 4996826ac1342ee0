//! Calls an infrastructure target: every method of its parts, guarded as hooks are.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use racetrack_core::text::{BoundedText, TextLimit};
use racetrack_core::{
    DeployJob, EnvVars, HookResult, InfrastructureTarget, Job, JobDeployer, JobManifest, JobMonitor,
    JobSecrets,
};
use racetrack_service::HookRuntime;
use racetrack_service::hooks::{PluginOwned, TargetCall, TargetFailure};

use crate::offers::{Offers, TargetChoiceError};

/// An infrastructure target that can be called, also after its plugin was given another configuration: what is begun on
/// it ends on it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    hooks: HookRuntime,
    plugin: usize,
    parts: PluginOwned<InfrastructureTarget>,
}

/// What a target is given to start a job; see [`DeployJob`].
#[derive(Clone, Debug)]
pub(crate) struct JobDeployment {
    pub(crate) manifest: JobManifest,
    pub(crate) image_names: Vec<String>,
    pub(crate) tag: String,
    pub(crate) variables: EnvVars,
    pub(crate) secret_variables: EnvVars,
    pub(crate) timestamp: i64,
}

/// Told that the server of a job answers.
pub(crate) type OnJobAlive = Box<dyn Fn() + Send + Sync>;

impl Target {
    /// The target of this name, if the plugins offer it.
    pub(crate) fn find(hooks: &HookRuntime, offers: &Offers, name: &str) -> Result<Self, TargetChoiceError> {
        let offer = offers.target(name)?;
        Ok(Self {
            name: name.to_owned(),
            hooks: hooks.clone(),
            plugin: offer.plugin,
            parts: PluginOwned::new(offer.item.clone()),
        })
    }

    /// See [`JobDeployer::deploy_job`].
    pub(crate) async fn deploy_job(&self, deployment: JobDeployment) -> Result<Job, Box<TargetFailure>> {
        let deployed = self.with_deployer("deploy_job", None, move |deployer| {
            Box::pin(async move {
                let JobDeployment { manifest, image_names, tag, variables, secret_variables, timestamp } =
                    deployment;
                let request = DeployJob::new(&manifest, &image_names, &tag, timestamp);
                deployer.deploy_job(request.with_variables(&variables, &secret_variables)).await
            })
        });
        deployed.await.map(limited)
    }

    /// See [`JobDeployer::delete_job`].
    pub(crate) async fn delete_job(&self, name: &str, version: &str) -> Result<(), Box<TargetFailure>> {
        let (name, version) = (name.to_owned(), version.to_owned());
        self.with_deployer("delete_job", None, |deployer| {
            Box::pin(async move { deployer.delete_job(&name, &version).await })
        })
        .await
    }

    /// See [`JobDeployer::save_job_secrets`].
    pub(crate) async fn save_job_secrets(
        &self,
        name: &str,
        version: &str,
        secrets: &JobSecrets,
    ) -> Result<(), Box<TargetFailure>> {
        let (name, version, secrets) = (name.to_owned(), version.to_owned(), secrets.clone());
        self.with_deployer("save_job_secrets", None, |deployer| {
            Box::pin(async move { deployer.save_job_secrets(&name, &version, &secrets).await })
        })
        .await
    }

    /// See [`JobDeployer::get_job_secrets`].
    pub(crate) async fn get_job_secrets(
        &self,
        name: &str,
        version: &str,
    ) -> Result<JobSecrets, Box<TargetFailure>> {
        let (name, version) = (name.to_owned(), version.to_owned());
        self.with_deployer("get_job_secrets", None, |deployer| {
            Box::pin(async move { deployer.get_job_secrets(&name, &version).await })
        })
        .await
    }

    /// See [`JobMonitor::list_jobs`]. `guard` is held while the call goes on, also when it was given up because it
    /// blocks its thread.
    pub(crate) async fn list_jobs<G: Send + 'static>(
        &self,
        guard: G,
    ) -> Result<Vec<Job>, Box<TargetFailure>> {
        let listed = self.with_monitor("list_jobs", None, move |monitor| {
            Box::pin(async move {
                let jobs = monitor.list_jobs().await;
                drop(guard);
                jobs
            })
        });
        Ok(listed.await?.into_iter().map(limited).collect())
    }

    /// See [`JobMonitor::check_job_condition`]; `limit` is how long it may take.
    pub(crate) async fn check_job_condition(
        &self,
        job: Job,
        timestamp: i64,
        on_job_alive: OnJobAlive,
        limit: Duration,
    ) -> Result<(), Box<TargetFailure>> {
        self.with_monitor("check_job_condition", Some(limit), move |monitor| {
            Box::pin(async move { monitor.check_job_condition(&job, timestamp, &*on_job_alive, true).await })
        })
        .await
    }

    /// See [`JobMonitor::read_recent_logs`]. At most [`TextLimit::LOG`] of the end is given.
    pub(crate) async fn read_recent_logs(
        &self,
        job: &Job,
        tail: usize,
    ) -> Result<String, Box<TargetFailure>> {
        let job = job.clone();
        let logs = self.with_monitor("read_recent_logs", None, move |monitor| {
            Box::pin(async move { monitor.read_recent_logs(&job, tail).await })
        });
        Ok(BoundedText::end_of(logs.await?, TextLimit::LOG).into())
    }

    /// See [`JobMonitor::images_in_use`]; `guard` is held as for [`list_jobs`](Self::list_jobs).
    pub(crate) async fn images_in_use<G: Send + 'static>(
        &self,
        guard: G,
    ) -> Result<Vec<String>, Box<TargetFailure>> {
        // One that watches no jobs has nothing to say.
        if self.parts.job_monitor.is_none() {
            return Ok(Vec::new());
        }
        self.with_monitor("images_in_use", None, move |monitor| {
            Box::pin(async move {
                let images = monitor.images_in_use().await;
                drop(guard);
                images
            })
        })
        .await
    }

    /// See [`JobDeployer::check_storage`]; `guard` is held as for [`list_jobs`](Self::list_jobs).
    pub(crate) async fn check_storage<G: Send + 'static>(
        &self,
        guard: G,
        limit: Duration,
    ) -> Result<(), Box<TargetFailure>> {
        // One that deploys no jobs stores nothing.
        if self.parts.job_deployer.is_none() {
            return Ok(());
        }
        self.with_deployer("check_storage", Some(limit), move |deployer| {
            Box::pin(async move {
                let outcome = deployer.check_storage().await;
                drop(guard);
                outcome
            })
        })
        .await
    }

    async fn with_deployer<T: Send + 'static>(
        &self,
        method: &'static str,
        limit: Option<Duration>,
        call: impl FnOnce(Arc<dyn JobDeployer>) -> BoxFuture<'static, HookResult<T>> + Send + 'static,
    ) -> Result<T, Box<TargetFailure>> {
        let deployer = self.parts.job_deployer.clone();
        self.call(method, limit, move || match deployer {
            Some(deployer) => call(deployer),
            None => Box::pin(async { Err("this target deploys no jobs".into()) }),
        })
        .await
    }

    async fn with_monitor<T: Send + 'static>(
        &self,
        method: &'static str,
        limit: Option<Duration>,
        call: impl FnOnce(Arc<dyn JobMonitor>) -> BoxFuture<'static, HookResult<T>> + Send + 'static,
    ) -> Result<T, Box<TargetFailure>> {
        let monitor = self.parts.job_monitor.clone();
        self.call(method, limit, move || match monitor {
            Some(monitor) => call(monitor),
            None => Box::pin(async { Err("this target watches no jobs".into()) }),
        })
        .await
    }

    async fn call<T: Send + 'static>(
        &self,
        method: &'static str,
        limit: Option<Duration>,
        start: impl FnOnce() -> BoxFuture<'static, HookResult<T>> + Send + 'static,
    ) -> Result<T, Box<TargetFailure>> {
        let call = TargetCall { target: &self.name, plugin: self.plugin, method, limit };
        self.hooks.call_target(call, start).await
    }
}

/// The job, with no more of what its target says than is kept.
fn limited(mut job: Job) -> Job {
    job.limit_report();
    job
}
