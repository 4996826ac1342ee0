//! An infrastructure target that keeps everything in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use racetrack_core::{
    DeployJob, EnvVars, HookResult, InfrastructureTarget, Job, JobDeployer, JobManifest, JobMonitor,
    JobSecrets, JobStatus, async_trait,
};
use tokio::sync::watch;

use super::switches::{Journal, Switches};

/// A target. Its method `start_server` is the first part of `check_job_condition`, until the job is alive.
pub(crate) struct FakeTarget {
    pub(crate) name: &'static str,
    pub(crate) switches: Switches,
    journal: Journal,
    state: Mutex<State>,
    /// How often its jobs were asked for.
    listings: watch::Sender<u32>,
}

#[derive(Default)]
struct State {
    /// Started, and not known to answer.
    pending: BTreeMap<Key, Job>,
    serving: BTreeMap<Key, Job>,
    secrets: BTreeMap<Key, JobSecrets>,
    requests: Vec<Request>,
    /// What is listed, if it is not what is there.
    listing: Option<Vec<Job>>,
    logs: String,
    images_in_use: Vec<String>,
}

/// What the deployer was given.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) manifest: JobManifest,
    pub(crate) image_names: Vec<String>,
    pub(crate) tag: String,
    pub(crate) variables: EnvVars,
    pub(crate) secret_variables: EnvVars,
    pub(crate) timestamp: i64,
}

type Key = (String, String);

impl FakeTarget {
    pub(crate) fn new(name: &'static str, journal: &Journal) -> Arc<Self> {
        Arc::new(Self {
            name,
            switches: Switches::default(),
            journal: journal.clone(),
            state: Mutex::default(),
            listings: watch::Sender::new(0),
        })
    }

    pub(crate) fn parts(self: &Arc<Self>) -> InfrastructureTarget {
        InfrastructureTarget::new(Arc::clone(self) as _, Arc::clone(self) as _)
    }

    /// The instances that serve, as `adder 1.0.0 at north:1700000000`, and those that do not yet, in brackets.
    pub(crate) fn instances(&self) -> Vec<String> {
        let state = self.state();
        let shown = |job: &Job| {
            format!("{} {} at {}", job.name, job.version, job.internal_name.clone().unwrap_or_default())
        };
        let pending = state.pending.values().map(|job| format!("({})", shown(job)));
        state.serving.values().map(shown).chain(pending).collect()
    }

    pub(crate) fn last_request(&self) -> Request {
        self.state().requests.last().cloned().expect("something was deployed")
    }

    pub(crate) fn secrets(&self, name: &str, version: &str) -> Option<JobSecrets> {
        self.state().secrets.get(&key(name, version)).cloned()
    }

    pub(crate) fn keep_secrets(&self, name: &str, version: &str, secrets: JobSecrets) {
        self.state().secrets.insert(key(name, version), secrets);
    }

    /// Puts an instance there that serves.
    pub(crate) fn put(&self, job: Job) {
        self.state().serving.insert(key(&job.name, &job.version), job);
    }

    /// Puts an instance there that was started and is not known to answer.
    pub(crate) fn put_pending(&self, job: Job) {
        self.state().pending.insert(key(&job.name, &job.version), job);
    }

    /// Takes away everything that is there but secrets, as a power failure does.
    pub(crate) fn lose_jobs(&self) {
        self.state().serving.clear();
    }

    /// What is told from now on of the jobs that are there.
    pub(crate) fn list(&self, jobs: Vec<Job>) {
        self.state().listing = Some(jobs);
    }

    /// What is told from now on of the images that are in use.
    pub(crate) fn uses_images(&self, names: &[&str]) {
        self.state().images_in_use = names.iter().map(|name| (*name).to_owned()).collect();
    }

    pub(crate) fn log(&self, text: &str) {
        text.clone_into(&mut self.state().logs);
    }

    /// Waits until lifecycle has taken over what is told now: a listing that began after this has been followed by
    /// another.
    pub(crate) async fn is_taken_over(&self) {
        let mut listings = self.listings.subscribe();
        let wanted = *listings.borrow() + 2;
        listings.wait_for(|count| *count >= wanted).await.expect("the sender lives");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    async fn called(&self, method: &str, what: &str) -> HookResult {
        self.journal.add(format!("{} {method} {what}", self.name).trim_end().to_owned());
        self.switches.follow(method).await
    }
}

#[async_trait]
impl JobDeployer for FakeTarget {
    async fn check_storage(&self) -> HookResult {
        self.switches.follow("check_storage").await
    }

    async fn deploy_job(&self, request: DeployJob<'_>) -> HookResult<Job> {
        let (name, version) = (&request.manifest.name, &request.manifest.version);
        self.called("deploy_job", &format!("{name} {version}")).await?;
        let timestamp = request.deployment_timestamp;
        let job = instance(self.name, name, version, timestamp);
        let mut state = self.state();
        state.requests.push(Request {
            manifest: request.manifest.clone(),
            image_names: request.image_names.to_vec(),
            tag: request.tag.to_owned(),
            variables: request.runtime_env_vars.clone(),
            secret_variables: request.runtime_secret_vars.clone(),
            timestamp,
        });
        state.pending.insert(key(name, version), job.clone());
        Ok(job)
    }

    async fn delete_job(&self, name: &str, version: &str) -> HookResult {
        self.called("delete_job", &format!("{name} {version}")).await?;
        let mut state = self.state();
        let key = key(name, version);
        state.pending.remove(&key);
        state.serving.remove(&key);
        state.secrets.remove(&key);
        Ok(())
    }

    async fn job_exists(&self, name: &str, version: &str) -> HookResult<bool> {
        Ok(self.state().serving.contains_key(&key(name, version)))
    }

    async fn save_job_secrets(&self, name: &str, version: &str, secrets: &JobSecrets) -> HookResult {
        self.called("save_job_secrets", &format!("{name} {version}")).await?;
        self.keep_secrets(name, version, secrets.clone());
        Ok(())
    }

    async fn get_job_secrets(&self, name: &str, version: &str) -> HookResult<JobSecrets> {
        self.called("get_job_secrets", &format!("{name} {version}")).await?;
        self.secrets(name, version).ok_or_else(|| "there are none".into())
    }
}

#[async_trait]
impl JobMonitor for FakeTarget {
    async fn list_jobs(&self) -> HookResult<Vec<Job>> {
        self.listings.send_modify(|count| *count += 1);
        self.called("list_jobs", "").await?;
        let state = self.state();
        let there = || state.pending.values().chain(state.serving.values()).cloned().collect();
        Ok(state.listing.clone().unwrap_or_else(there))
    }

    async fn check_job_condition(
        &self,
        job: &Job,
        timestamp: i64,
        on_job_alive: &(dyn Fn() + Send + Sync),
        _: bool,
    ) -> HookResult {
        let key = key(&job.name, &job.version);
        let checked = async {
            self.called("start_server", &job.name).await?;
            on_job_alive();
            self.called("check_job_condition", &job.name).await
        };
        let checked = checked.await;
        let mut state = self.state();
        let Some(mut job) = state.pending.remove(&key) else {
            // It was asked before.
            if state.serving.get(&key).is_some_and(|job| job.update_time == timestamp) {
                return checked;
            }
            return Err("there is no such instance".into());
        };
        checked?;
        if job.update_time != timestamp {
            return Err(format!("the instance is of {}", job.update_time).into());
        }
        job.status = JobStatus::Running;
        state.serving.insert(key, job);
        Ok(())
    }

    async fn read_recent_logs(&self, job: &Job, tail: usize) -> HookResult<String> {
        self.called("read_recent_logs", &format!("{} {tail}", job.name)).await?;
        Ok(self.state().logs.clone())
    }

    async fn images_in_use(&self) -> HookResult<Vec<String>> {
        self.switches.follow("images_in_use").await?;
        Ok(self.state().images_in_use.clone())
    }
}

/// An instance of a job that starts, as the target of this name tells of it.
pub(crate) fn instance(target: &str, name: &str, version: &str, timestamp: i64) -> Job {
    let mut job = Job::new(name, version, JobStatus::Starting, timestamp);
    job.internal_name = Some(format!("{target}:{timestamp}"));
    job.replica_internal_names = vec![format!("{target}:{timestamp}")];
    job.infrastructure_target = Some(target.to_owned());
    job
}

fn key(name: &str, version: &str) -> Key {
    (name.to_owned(), version.to_owned())
}
