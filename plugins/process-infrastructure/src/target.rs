//! One infrastructure target: which instances of which jobs it has, and how they come into service and are found again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::mem;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use racetrack_core::error::chain;
use racetrack_core::trouble::Trouble;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::instance::host::Host;
use crate::instance::supervision;
use crate::instance::{Instance, InstanceRecord, InstanceStatus};
use crate::session_table::SessionTable;
use crate::state::file::{self, StateError};
use crate::state::folder::StateFolder;
use crate::state::job_key::JobKey;
use crate::state::seal::SealError;
use crate::state::secret_store::SecretStore;
use crate::system::process_table::StopError;

/// How long a call waits for another lifecycle to let go of the target.
const LOCK_LIMIT: Duration = Duration::from_secs(30);

/// One infrastructure target.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) folder: StateFolder,
    pub(crate) secrets: SecretStore,
    pub(crate) host: Arc<Host>,
    pub(crate) sessions: SessionTable,
    root: PathBuf,
    jobs: Mutex<BTreeMap<JobKey, JobInstances>>,
    /// Removals under way, and the first look at what is there.
    tasks: Mutex<JoinSet<()>>,
    resumed: OnceCell<()>,
    /// Held as long as the target: another lifecycle over the same folder would start every replica twice.
    lock: Mutex<Option<File>>,
}

/// The instances of one job.
#[derive(Debug, Default)]
pub(crate) struct JobInstances {
    pub(crate) current: Option<Arc<Instance>>,
    pub(crate) candidate: Option<Arc<Instance>>,
    /// Those not yet gone.
    pub(crate) retired: Vec<Arc<Instance>>,
}

/// What goes wrong with a target as a whole, or in taking an instance away.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("another lifecycle runs the jobs of {}", .0.display())]
    Busy(PathBuf),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("cannot stop job {job}")]
    Stop {
        job: JobKey,
        #[source]
        source: StopError,
    },
    #[error("cannot stop job {job}: its control group {} is still in use by processes {pids:?}", path.display())]
    Group {
        job: JobKey,
        path: PathBuf,
        pids: Vec<i32>,
        #[source]
        source: io::Error,
    },
    #[error("the record of the job in {} cannot be read, so it is not known which bundle it needs", folder.display())]
    Record {
        folder: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("the removal of a job was broken off")]
    Interrupted,
}

impl Target {
    /// The target of that name. Touches nothing: what is in its folder is looked at by [`resume`](Self::resume).
    pub(crate) fn new(name: String, root: PathBuf, host: Host) -> Self {
        let folder = StateFolder::new(root.clone());
        Self {
            secrets: SecretStore::new(name.clone(), folder.clone()),
            name,
            folder,
            host: Arc::new(host),
            sessions: SessionTable::default(),
            root,
            jobs: Mutex::default(),
            tasks: Mutex::default(),
            resumed: OnceCell::new(),
            lock: Mutex::default(),
        }
    }

    /// Finds the instances of an earlier lifecycle again and looks after them; does nothing the second time.
    pub(crate) async fn resume(self: &Arc<Self>) -> Result<(), TargetError> {
        self.resumed.get_or_try_init(|| self.find_again()).await?;
        Ok(())
    }

    /// Resumes without anybody waiting for it, where there is a runtime to do so.
    pub(crate) fn resume_in_background(self: &Arc<Self>) {
        const PAUSE: Duration = Duration::from_secs(5);
        let target = Arc::clone(self);
        let resume = async move {
            let trouble = Trouble::new();
            while let Err(error) = target.resume().await {
                if trouble.begins() {
                    tracing::warn!(
                        target = target.name,
                        error = chain(&error),
                        "jobs cannot be looked after yet; it is tried again and again"
                    );
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        self.spawn(resume);
    }

    /// Lets go of everything, and leaves all processes as they are.
    pub(crate) fn release(&self) {
        self.sessions.close_all();
        mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner)).abort_all();
        for entry in mem::take(&mut *self.jobs()).into_values() {
            for instance in entry.all() {
                instance.release_tasks().abort_all();
            }
        }
    }

    /// The instances of every job. Never held across a wait.
    pub(crate) fn jobs(&self) -> MutexGuard<'_, BTreeMap<JobKey, JobInstances>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder of the jobs, which stays when they go.
    pub(crate) fn jobs_folder(&self) -> PathBuf {
        self.root.join("jobs")
    }

    /// Puts an instance into the service of its job. The one before it is retired: it serves a little longer, for
    /// callers on their way. False if the instance was taken away meanwhile.
    pub(crate) fn promote(self: &Arc<Self>, instance: &Arc<Instance>) -> Result<bool, StateError> {
        let former = {
            let mut jobs = self.jobs();
            let Some(entry) = jobs.get_mut(&instance.key) else { return Ok(false) };
            if entry.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, instance)) {
                return Ok(true);
            }
            if !entry.candidate.as_ref().is_some_and(|candidate| Arc::ptr_eq(candidate, instance)) {
                return Ok(false);
            }
            instance.begin_change().commit(|record| record.status = InstanceStatus::Current)?;
            // After the record, which a later lifecycle goes by.
            self.secrets.adopt(&instance.key, &instance.secrets_file())?;
            entry.candidate = None;
            let former = entry.current.replace(Arc::clone(instance));
            entry.retired.extend(former.clone());
            former
        };
        if let Some(former) = former {
            self.remove_in_background(former, self.host.config.drain);
        }
        Ok(true)
    }

    /// The bundles of all instances that there are, by their records on disk: some cannot be looked after, and may run.
    pub(crate) fn bundles(&self) -> Result<Vec<String>, TargetError> {
        let mut bundles = Vec::new();
        for folder in self.folder.instances()? {
            match InstanceRecord::load(&folder)? {
                Some(Ok(record)) => bundles.push(record.bundle.to_string_lossy().into_owned()),
                Some(Err(source)) => return Err(TargetError::Record { folder, source }),
                // Nothing of it was started yet, or it has just gone.
                None => {}
            }
        }
        Ok(bundles)
    }

    /// Runs a task that ends with the target.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(future, &runtime);
    }

    async fn find_again(self: &Arc<Self>) -> Result<(), TargetError> {
        self.take_lock().await?;
        let mut jobs: BTreeMap<JobKey, JobInstances> = BTreeMap::new();
        for folder in self.folder.instances()? {
            let record = match InstanceRecord::load(&folder)? {
                Some(Ok(record)) => record,
                // Nothing of it was started yet.
                None => {
                    file::remove(&folder, &self.jobs_folder())?;
                    continue;
                }
                Some(Err(error)) => {
                    tracing::error!(folder = %folder.display(), %error, "the record of a job cannot be read");
                    continue;
                }
            };
            let Ok(key) = JobKey::new(&record.job_name, &record.job_version) else {
                tracing::error!(folder = %folder.display(), "the record of a job names no job");
                continue;
            };
            let instance = Arc::new(Instance::new(key.clone(), folder, record, &self.host.config));
            jobs.entry(key).or_default().add(instance);
        }
        let (mut staying, mut leaving) = (Vec::new(), Vec::new());
        for entry in jobs.values_mut() {
            // The one in service is known to answer; what was being tried beside it is not.
            if entry.current.is_some() {
                entry.retired.extend(entry.candidate.take());
            }
            leaving.append(&mut entry.retired.clone());
            staying.extend(entry.current.iter().chain(&entry.candidate).cloned());
            if let Some(current) = &entry.current {
                warn_if_failed(current, self.secrets.adopt(&current.key, &current.secrets_file()));
            }
        }
        // No deployment is under way that could still want them.
        let next_secrets = self.folder.next_secrets_folder();
        file::remove(&next_secrets, &self.root)?;
        for instance in &staying {
            warn_if_failed(instance, find_processes_again(instance, &self.host));
        }
        // Nothing fails or waits from here on: what is looked after must not be found a second time.
        *self.jobs() = jobs;
        for instance in &staying {
            supervision::start(instance, &self.host);
        }
        for instance in leaving {
            self.remove_in_background(instance, Duration::ZERO);
        }
        Ok(())
    }

    async fn take_lock(&self) -> Result<(), TargetError> {
        const POLL: Duration = Duration::from_millis(20);
        let deadline = tokio::time::Instant::now() + LOCK_LIMIT;
        loop {
            let mut held = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
            if held.is_none() {
                held = self.folder.try_lock()?;
            }
            if held.is_some() {
                *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = held;
                return Ok(());
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(TargetError::Busy(self.root.clone()));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl JobInstances {
    /// The instance that stands for the job: the one in service, or else the one being tried.
    pub(crate) fn representative(&self) -> Option<&Arc<Instance>> {
        self.current.as_ref().or(self.candidate.as_ref())
    }

    /// The instance of a deployment.
    pub(crate) fn deployed_at(&self, timestamp: i64) -> Option<&Arc<Instance>> {
        let deployed = |instance: &&Arc<Instance>| instance.record().deployment_timestamp == timestamp;
        self.candidate.iter().find(deployed).or_else(|| self.current.iter().find(deployed))
    }

    /// Every instance there is.
    pub(crate) fn all(&self) -> Vec<Arc<Instance>> {
        self.current.iter().chain(&self.candidate).chain(&self.retired).cloned().collect()
    }

    /// The number of the next instance.
    pub(crate) fn next_generation(&self) -> u64 {
        self.all().iter().map(|instance| instance.record().generation).max().unwrap_or_default() + 1
    }

    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.current.is_none() && self.candidate.is_none() && self.retired.is_empty()
    }

    /// Takes an instance out of its place.
    pub(crate) fn retire(&mut self, instance: &Arc<Instance>) {
        for place in [&mut self.current, &mut self.candidate] {
            if place.as_ref().is_some_and(|other| Arc::ptr_eq(other, instance)) {
                self.retired.extend(place.take());
            }
        }
    }

    /// Puts an instance found again into its place; of two for one place the later one gets it.
    fn add(&mut self, instance: Arc<Instance>) {
        let record = instance.record();
        let place = match record.status {
            InstanceStatus::Current => &mut self.current,
            InstanceStatus::Candidate => &mut self.candidate,
            InstanceStatus::Retired => return self.retired.push(instance),
        };
        let is_later = place.as_ref().is_none_or(|other| other.record().generation < record.generation);
        let leaves = if is_later { place.replace(instance) } else { Some(instance) };
        self.retired.extend(leaves);
    }
}

/// A full disk must not keep jobs from being looked after.
fn warn_if_failed(instance: &Instance, result: Result<(), StateError>) {
    if let Err(error) = result {
        tracing::warn!(job = %instance.key, error = chain(&error), "a change of a job cannot be written");
    }
}

/// Notes which replicas still run. A process number alone proves nothing: it may be another process's by now.
fn find_processes_again(instance: &Instance, host: &Host) -> Result<(), StateError> {
    let record = instance.record();
    for replica in &record.replicas {
        host.ports.claim(replica.port);
    }
    let dead = |process: &Option<_>| {
        !process.as_ref().is_some_and(crate::system::process::ProcessIdentity::is_alive)
    };
    if !record.replicas.iter().any(|replica| dead(&replica.process)) {
        return Ok(());
    }
    instance.update(|record| {
        for replica in record.replicas.iter_mut().filter(|replica| dead(&replica.process)) {
            // Its group is no longer known to be its own: what is left of it is found by its mark.
            replica.process = None;
            replica.failure.get_or_insert_with(|| "the process ended while lifecycle was down".to_owned());
        }
    })
}
