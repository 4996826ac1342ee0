//! Tells which jobs there are, and how they do.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use racetrack_core::text::TextLimit;
use racetrack_core::{HookResult, Job, JobMonitor, JobStatus, Refusal, async_trait};
use serde_json::{Value, json};

use crate::deployer::{internal_name, job_of};
use crate::instance::condition::{self, ConditionError};
use crate::instance::log_tail;
use crate::instance::{Instance, InstanceRecord, InstanceStatus};
use crate::process_target::ProcessTarget;
use crate::state::job_key::JobKey;
use crate::system::process_table::ProcessTable;
use crate::target::{JobInstances, Target};

/// How long one request of a listing may take: a job that hangs must not hold up the others.
const REQUEST_LIMIT: Duration = Duration::from_secs(2);

/// How many jobs are asked at a time.
const AT_ONCE: usize = 32;

/// How many lines of the log go with the reason why a job does not answer.
const LINES_ON_ERROR: usize = 20;

/// The job is not on this target.
#[derive(Debug, thiserror::Error)]
#[error("job {0} is not on infrastructure target {1}")]
struct NoJob(JobKey, String);

/// Why a job does not answer, with the end of its log.
#[derive(Debug, thiserror::Error)]
#[error("{error}\nJob logs:\n{logs}")]
struct ConditionWithLogs {
    error: ConditionError,
    logs: String,
}

/// Takes an instance away unless it is told not to: also when whoever waits for it gives up.
struct RemovalGuard<'a> {
    target: &'a Arc<Target>,
    instance: Option<Arc<Instance>>,
}

#[async_trait]
impl JobMonitor for ProcessTarget {
    async fn list_jobs(&self) -> HookResult<Vec<Job>> {
        self.0.resume().await?;
        let keys: Vec<_> = self.0.jobs().keys().cloned().collect();
        let table = ProcessTable::read().await?;
        let jobs = stream::iter(keys).map(|key| look_at(&self.0, key, &table));
        Ok(jobs.buffered(AT_ONCE).filter_map(std::future::ready).collect().await)
    }

    async fn check_job_condition(
        &self,
        job: &Job,
        deployment_timestamp: i64,
        on_job_alive: &(dyn Fn() + Send + Sync),
        logs_on_error: bool,
    ) -> HookResult {
        let target = &self.0;
        target.resume().await?;
        let key = JobKey::new(&job.name, &job.version)?;
        let found =
            target.jobs().get(&key).and_then(|entry| entry.deployed_at(deployment_timestamp).cloned());
        let instance = found.ok_or_else(|| NoJob(key, target.name.clone()))?;
        let is_candidate = instance.record().status == InstanceStatus::Candidate;
        let mut guard = RemovalGuard { target, instance: is_candidate.then(|| Arc::clone(&instance)) };
        let result = condition::wait_until_ready(&instance, &target.host.config, on_job_alive).await;
        let error = match result {
            Ok(()) if target.promote(&instance)? => {
                guard.instance = None;
                return Ok(());
            }
            Ok(()) => ConditionError::Removed,
            Err(error) => error,
        };
        let logs = if logs_on_error {
            Some(recent_logs(&instance, LINES_ON_ERROR, TextLimit::OUTPUT).await?)
        } else {
            None
        };
        if let Some(failed) = guard.instance.take() {
            target.remove(vec![failed]).await?;
        }
        Err(match logs {
            Some(logs) => ConditionWithLogs { error, logs }.into(),
            None => error.into(),
        })
    }

    async fn read_recent_logs(&self, job: &Job, tail: usize) -> HookResult<String> {
        self.0.resume().await?;
        let key = JobKey::new(&job.name, &job.version)?;
        let found = self.0.jobs().get(&key).and_then(|entry| entry.representative().cloned());
        let instance =
            found.ok_or_else(|| Refusal::not_found(NoJob(key, self.0.name.clone()).to_string()))?;
        recent_logs(&instance, tail, TextLimit::LOG).await
    }

    async fn images_in_use(&self) -> HookResult<Vec<String>> {
        self.0.resume().await?;
        Ok(self.0.bundles()?)
    }
}

impl ProcessTarget {
    /// The processes of every job, as JSON for people.
    pub(crate) async fn processes(&self) -> HookResult<Value> {
        self.0.resume().await?;
        let table = ProcessTable::read().await?;
        let instances: Vec<_> = self.0.jobs().values().flat_map(JobInstances::all).collect();
        let describe = |instance: &Arc<Instance>| {
            let record = instance.record();
            let replicas = record.replicas.iter().enumerate().map(|(index, replica)| {
                let processes = record.processes_of(index);
                json!({
                    "port": replica.port,
                    "pids": pids(&table, &record, index),
                    "processes_held_by": replica.held_by,
                    "memory_rss_bytes": table.resident_bytes(&processes),
                    "restarts": replica.restarts,
                    "failure": replica.failure,
                })
            });
            json!({
                "job": record.job_name,
                "version": record.job_version,
                "generation": record.generation,
                "status": record.status,
                "replicas": replicas.collect::<Vec<_>>(),
            })
        };
        Ok(instances.iter().map(describe).collect())
    }
}

impl Drop for RemovalGuard<'_> {
    fn drop(&mut self) {
        if let Some(instance) = self.instance.take() {
            self.target.remove_in_background(instance, Duration::ZERO);
        }
    }
}

/// The job with its condition; `None` if it is not there any more.
async fn look_at(target: &Target, key: JobKey, table: &ProcessTable) -> Option<Job> {
    let representative = || target.jobs().get(&key).and_then(|entry| entry.representative().map(Arc::clone));
    let mut instance = representative()?;
    loop {
        let job = with_condition(target, instance.record(), table).await;
        // What was asked may have been retired meanwhile, and not answered for that.
        let latest = representative()?;
        if Arc::ptr_eq(&latest, &instance) {
            return Some(job);
        }
        instance = latest;
    }
}

async fn with_condition(target: &Target, record: InstanceRecord, table: &ProcessTable) -> Job {
    let checks = record.replicas.iter().map(|replica| async {
        if let Some(failure) = &replica.failure {
            return Err(failure.clone());
        }
        let checked =
            condition::check_replica(replica.port, record.deployment_timestamp, REQUEST_LIMIT).await;
        checked.map_err(|error| error.to_string())?;
        Ok((replica.port, condition::last_call_time(replica.port, REQUEST_LIMIT).await))
    });
    let checks = futures_util::future::join_all(checks).await;
    let ready: Vec<_> = checks.iter().flatten().copied().collect();
    let failure = checks.iter().find_map(|check| check.as_ref().err()).cloned();

    // Lifecycle leaves jobs alone while they are starting: only what is still being tried may say so.
    let status = match (record.status, ready.is_empty()) {
        (_, false) if record.status == InstanceStatus::Current => JobStatus::Running,
        (InstanceStatus::Candidate, _) if record.replicas.iter().all(|replica| replica.failure.is_none()) => {
            JobStatus::Starting
        }
        _ => JobStatus::Error,
    };
    let mut job = job_of(target, &record, status);
    if !ready.is_empty() {
        job.replica_internal_names = ready.iter().map(|(port, _)| internal_name(*port)).collect();
        job.internal_name = job.replica_internal_names.first().cloned();
    }
    job.last_call_time = ready.iter().filter_map(|(_, time)| *time).max();
    match failure {
        Some(failure) if status == JobStatus::Error => job.error = Some(failure),
        Some(failure) if status == JobStatus::Running => {
            let (failed, all) = (record.replicas.len() - ready.len(), record.replicas.len());
            job.notice = Some(format!("{failed} of {all} replicas do not answer: {failure}"));
        }
        _ => {}
    }
    job.infrastructure_stats.extend(statistics(&record, table));
    job
}

fn statistics(record: &InstanceRecord, table: &ProcessTable) -> [(String, Value); 6] {
    let replicas = 0..record.replicas.len();
    let all_pids: Vec<_> = replicas.clone().flat_map(|index| pids(table, record, index)).collect();
    let memory: u64 = replicas.map(|index| table.resident_bytes(&record.processes_of(index))).sum();
    let restarts: u64 = record.replicas.iter().map(|replica| replica.restarts).sum();
    // Of several, the one that holds least.
    let held_by = record.replicas.iter().map(|replica| replica.held_by).max();
    let limits = json!({
        "memory_bytes": record.limits.memory_bytes,
        "memory_limited_by": record.applied_limits.memory,
        "cpus": record.limits.cpus,
        "cpu_limited_by": record.applied_limits.cpu,
    });
    [
        ("number_of_restarts", json!(restarts)),
        ("number_of_replicas", json!(record.replicas.len())),
        ("pids", json!(all_pids)),
        ("processes_held_by", json!(held_by)),
        ("memory_rss_bytes", json!(memory)),
        ("limits", limits),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

fn pids(table: &ProcessTable, record: &InstanceRecord, index: usize) -> Vec<i32> {
    table.members(&record.processes_of(index)).iter().map(|process| process.pid).collect()
}

/// The last lines of each replica, with the number of the replica before each line if there are several. They share the
/// limit.
async fn recent_logs(instance: &Instance, lines: usize, limit: TextLimit) -> HookResult<String> {
    let limit = TextLimit::bytes(limit.get() / instance.logs.len().max(1));
    let mut text = String::new();
    for (index, log) in instance.logs.iter().enumerate() {
        let log = Arc::clone(log);
        let tail = tokio::task::spawn_blocking(move || log_tail::read(&log, lines, limit)).await??;
        if instance.logs.len() == 1 {
            return Ok(tail.into_text());
        }
        text.push_str(&tail.into_prefixed(&crate::log_session::prefix(index), limit));
    }
    Ok(text)
}
