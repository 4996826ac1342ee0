//! One instance of a job: a generation of its replicas, and what is kept on disk of it.

pub(crate) mod condition;
pub(crate) mod environment;
pub(crate) mod host;
pub(crate) mod http;
pub(crate) mod launch;
mod log_file;
pub(crate) mod log_rotation;
pub(crate) mod log_tail;
pub(crate) mod log_watch;
pub(crate) mod replica_log;
pub(crate) mod resources;
pub(crate) mod supervision;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::TargetConfig;
use crate::instance::replica_log::ReplicaLog;
use crate::state::file::{self, StateError};
use crate::state::job_key::JobKey;
use crate::system::group_processes;
use crate::system::limits::{AppliedLimits, Limits};
use crate::system::process::ProcessIdentity;
use crate::system::process_table::ReplicaProcesses;

const RECORD_FILE: &str = "instance.json";

/// All that has to be known of an instance to find it again after a restart of lifecycle. Holds no secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstanceRecord {
    /// Told from every other instance that ever was by this random text.
    pub(crate) id: String,
    pub(crate) job_name: String,
    pub(crate) job_version: String,
    /// Counts the instances of the job.
    pub(crate) generation: u64,
    pub(crate) status: InstanceStatus,
    /// Seconds since 1970.
    pub(crate) deployment_timestamp: i64,
    pub(crate) bundle: PathBuf,
    pub(crate) job_type: String,
    pub(crate) command: Vec<String>,
    pub(crate) manifest_yaml: String,
    pub(crate) image_tag: String,
    pub(crate) limits: Limits,
    pub(crate) applied_limits: AppliedLimits,
    pub(crate) replicas: Vec<ReplicaRecord>,
}

/// What an instance is for its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum InstanceStatus {
    /// It was started, and is not yet known to answer.
    Candidate,
    /// It serves the job.
    Current,
    /// It is to be removed.
    Retired,
}

/// One replica of an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplicaRecord {
    pub(crate) port: u16,
    /// The process it was last started with, while that lives.
    pub(crate) process: Option<ProcessIdentity>,
    /// How many times it was started again.
    pub(crate) restarts: u64,
    /// Why it is not running.
    pub(crate) failure: Option<String>,
    /// The control groups that it was last started in.
    #[serde(default)]
    pub(crate) groups: Vec<PathBuf>,
    /// What holds the processes it was last started with.
    #[serde(default)]
    pub(crate) held_by: Containment,
}

/// How the processes of a replica are found, from the surest to what a process may lose by accident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Containment {
    /// They are in a control group.
    Cgroup,
    /// They inherit a mark among their limits.
    Rlimit,
    /// They inherit a mark in their environment, or are in the process group of the first one.
    #[default]
    Environment,
}

/// One instance, with what lifecycle does for it.
pub(crate) struct Instance {
    pub(crate) key: JobKey,
    pub(crate) folder: PathBuf,
    pub(crate) logs: Vec<Arc<ReplicaLog>>,
    /// The tasks that keep its replicas running.
    pub(crate) tasks: Mutex<JoinSet<()>>,
    /// Held while the instance is removed; true when that is done.
    pub(crate) removed: tokio::sync::Mutex<bool>,
    record: watch::Sender<InstanceRecord>,
    /// Held while the record changes in memory and on disk, and while a process is started.
    change: Mutex<()>,
}

/// The right to change an instance: nobody else does meanwhile.
pub(crate) struct InstanceChange<'a> {
    instance: &'a Instance,
    _guard: MutexGuard<'a, ()>,
}

impl Instance {
    /// The instance of that record, in that folder.
    pub(crate) fn new(key: JobKey, folder: PathBuf, record: InstanceRecord, config: &TargetConfig) -> Self {
        let log = |index| {
            let path = folder.join("logs").join(format!("replica-{index}.log"));
            Arc::new(ReplicaLog::new(path, config.log_file_bytes(), config.log_files))
        };
        Self {
            key,
            logs: (0..record.replicas.len()).map(log).collect(),
            folder,
            tasks: Mutex::default(),
            removed: tokio::sync::Mutex::default(),
            record: watch::Sender::new(record),
            change: Mutex::new(()),
        }
    }

    /// What is known of it now.
    pub(crate) fn record(&self) -> InstanceRecord {
        self.record.borrow().clone()
    }

    /// Tells of every change of the record.
    pub(crate) fn subscribe(&self) -> watch::Receiver<InstanceRecord> {
        self.record.subscribe()
    }

    /// Changes the record, in memory and on disk.
    pub(crate) fn update(&self, change: impl FnOnce(&mut InstanceRecord)) -> Result<(), StateError> {
        self.begin_change().update(change)
    }

    /// Keeps everybody else from changing the instance.
    pub(crate) fn begin_change(&self) -> InstanceChange<'_> {
        InstanceChange { instance: self, _guard: self.change.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// The processes of every replica.
    pub(crate) fn processes(&self) -> Vec<ReplicaProcesses> {
        let record = self.record.borrow();
        (0..record.replicas.len()).map(|index| record.processes_of(index)).collect()
    }

    /// The file with its environment.
    pub(crate) fn environment_file(&self) -> PathBuf {
        self.folder.join("environment.sealed")
    }

    /// The file with the secrets that it brings, until it serves.
    pub(crate) fn secrets_file(&self) -> PathBuf {
        self.folder.join("secrets.sealed")
    }

    /// What the environment is sealed for.
    pub(crate) fn environment_purpose(&self) -> String {
        format!("environment of instance {}", self.record.borrow().id)
    }

    /// Ends the tasks of the instance without waiting for them.
    pub(crate) fn release_tasks(&self) -> JoinSet<()> {
        std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl InstanceChange<'_> {
    /// Changes the record, in memory and on disk: for what is so whether it can be written or not.
    pub(crate) fn update(&self, change: impl FnOnce(&mut InstanceRecord)) -> Result<(), StateError> {
        self.instance.record.send_modify(change);
        let content = serde_json::to_vec_pretty(&*self.instance.record.borrow()).expect("a record is JSON");
        file::write_atomically(&self.instance.folder.join(RECORD_FILE), &content)
    }

    /// Changes the record on disk, and then in memory: what cannot be written is not so.
    pub(crate) fn commit(&self, change: impl FnOnce(&mut InstanceRecord)) -> Result<(), StateError> {
        let mut record = self.instance.record();
        change(&mut record);
        let content = serde_json::to_vec_pretty(&record).expect("a record is JSON");
        file::write_atomically(&self.instance.folder.join(RECORD_FILE), &content)?;
        self.instance.record.send_replace(record);
        Ok(())
    }
}

impl InstanceRecord {
    /// Reads the record of the instance in a folder; `None` if its making was broken off before there was one.
    pub(crate) fn load(folder: &Path) -> Result<Option<Result<Self, serde_json::Error>>, StateError> {
        match file::read(&folder.join(RECORD_FILE)) {
            Ok(content) => Ok(Some(serde_json::from_slice(&content))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The mark that the processes of a replica inherit.
    pub(crate) fn mark_of(&self, index: usize) -> String {
        format!("{}-{index}", self.id)
    }

    /// The processes of a replica.
    pub(crate) fn processes_of(&self, index: usize) -> ReplicaProcesses {
        let replica = &self.replicas[index];
        ReplicaProcesses {
            mark: self.mark_of(index),
            leader: replica.process.clone(),
            groups: replica.groups.clone(),
        }
    }

    /// The control group of a replica.
    pub(crate) fn group_of(&self, index: usize) -> String {
        group_processes::name_of(&self.mark_of(index))
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("key", &self.key)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}
