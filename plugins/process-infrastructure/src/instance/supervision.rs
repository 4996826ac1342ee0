//! Keeps the replicas of an instance running, and their logs small.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use racetrack_core::error::chain;

use crate::config::TargetConfig;
use crate::instance::host::Host;
use crate::instance::launch::{LaunchError, launch};
use crate::instance::log_rotation;
use crate::instance::{Instance, InstanceRecord, InstanceStatus};
use crate::system::ports;
use crate::system::process_table;

/// How often a candidate is started anew because a stranger took its port.
const PORT_CLASHES: u32 = 3;

/// The longest wait before a replica is started that the job has done nothing about: the disk is full, for example.
const PAUSE_WITHOUT_STATE: Duration = Duration::from_secs(2);

/// Starts the tasks that look after an instance. They end with the instance's [`tasks`](Instance::tasks), and the
/// processes of the replicas live on.
pub(crate) fn start(instance: &Arc<Instance>, host: &Arc<Host>) {
    let mut tasks = instance.tasks.lock().unwrap_or_else(PoisonError::into_inner);
    for index in 0..instance.logs.len() {
        tasks.spawn(supervise(Arc::clone(instance), index, Arc::clone(host)));
    }
    let (instance, host) = (Arc::clone(instance), Arc::clone(host));
    tasks.spawn(async move { match log_rotation::keep_small(&instance, &host.log_watch).await {} });
}

async fn supervise(instance: Arc<Instance>, index: usize, host: Arc<Host>) {
    let (mut failures, mut clashes) = (0, 0);
    let mut state_failed = false;
    loop {
        let since = Instant::now();
        let process = instance.record().replicas[index].process.clone();
        if let Some(process) = &process {
            process.ended().await;
        }
        let ran = since.elapsed();
        // Before the number of the first process is given free, so that its group is still known to be this one's.
        let leftovers = instance.record().processes_of(index);
        if let Err(error) = process_table::stop(&[leftovers], host.config.grace).await {
            tracing::warn!(job = %instance.key, error = chain(&error), "processes of a dead replica stay behind");
        }
        let how = process.as_ref().and_then(crate::system::process::ProcessIdentity::reap);
        let record = instance.record();
        if record.status == InstanceStatus::Candidate
            && clashes < PORT_CLASHES
            && !ports::is_free(record.replicas[index].port)
        {
            clashes += 1;
            if launch(&instance, index, &host).is_ok() {
                continue;
            }
        }
        if process.is_some() {
            let how = how.unwrap_or_else(|| "ended".to_owned());
            tracing::warn!(job = %instance.key, replica = index, "the process of a replica {how}");
            note(&instance, |record| {
                record.replicas[index].process = None;
                record.replicas[index].failure = Some(format!("the process {how}"));
            });
        }
        if !is_current(&instance).await {
            return;
        }
        if ran >= host.config.restart_reset_after {
            failures = 0;
        }
        tokio::time::sleep(pause(failures, state_failed, &host.config)).await;
        let launched = launch(&instance, index, &host);
        state_failed = launched.as_ref().is_err_and(LaunchError::is_of_state);
        failures += u32::from(!state_failed);
        match launched {
            Ok(()) => note(&instance, |record| record.replicas[index].restarts += 1),
            Err(error) => {
                let error = chain(&error);
                tracing::warn!(job = %instance.key, replica = index, error, "a replica cannot be started again");
                note(&instance, |record| record.replicas[index].failure = Some(error));
            }
        }
    }
}

/// Waits until the instance serves its job; false if it never will.
async fn is_current(instance: &Instance) -> bool {
    let mut changes = instance.subscribe();
    let decided = changes.wait_for(|record| record.status != InstanceStatus::Candidate).await;
    decided.is_ok_and(|record| record.status == InstanceStatus::Current)
}

fn pause(failures: u32, state_failed: bool, config: &TargetConfig) -> Duration {
    let pause = backoff(failures, config);
    if state_failed { pause.min(PAUSE_WITHOUT_STATE) } else { pause }
}

fn backoff(failures: u32, config: &TargetConfig) -> Duration {
    let factor = 2_u32.saturating_pow(failures);
    config.restart_delay.saturating_mul(factor).min(config.restart_delay_max)
}

fn note(instance: &Instance, change: impl FnOnce(&mut InstanceRecord)) {
    if let Err(error) = instance.update(change) {
        tracing::warn!(job = %instance.key, error = chain(&error), "the record of a job cannot be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let config = TargetConfig::default();
        let waits: Vec<u64> = (0..8).map(|failures| backoff(failures, &config).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff(u32::MAX, &config), config.restart_delay_max);
        assert_eq!(pause(7, false, &config), config.restart_delay_max);
        assert_eq!(pause(7, true, &config), PAUSE_WITHOUT_STATE, "room may be there again at any time");
    }
}
