//! Takes instances and whole jobs away. What was begun goes on when whoever asked for it gives up: a job that ignores
//! SIGTERM may need longer than lifecycle waits for a call.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use racetrack_core::error::chain;
use tokio::sync::oneshot;

use crate::instance::log_rotation;
use crate::instance::{Instance, InstanceStatus};
use crate::state::file;
use crate::state::job_key::JobKey;
use crate::system::control_group::{self, Place};
use crate::system::group_folder;
use crate::system::group_processes;
use crate::system::process_table;
use crate::target::{JobInstances, Target, TargetError};

impl Target {
    /// Takes a job away, and all that is kept of it.
    pub(crate) async fn delete(self: &Arc<Self>, key: JobKey) -> Result<(), TargetError> {
        let target = Arc::clone(self);
        self.finish(async move { target.delete_now(&key).await }).await
    }

    /// Takes instances away: ends their processes, frees what they hold and removes their folders.
    pub(crate) async fn remove(self: &Arc<Self>, instances: Vec<Arc<Instance>>) -> Result<(), TargetError> {
        let target = Arc::clone(self);
        self.finish(async move { target.remove_now(instances).await }).await
    }

    /// Takes an instance away after a while, without anybody waiting for it.
    pub(crate) fn remove_in_background(self: &Arc<Self>, instance: Arc<Instance>, delay: Duration) {
        // Noted at once: after a restart of lifecycle the instance is to go, not to serve.
        note_retirement(&instance);
        let target = Arc::clone(self);
        self.spawn(async move {
            tokio::time::sleep(delay).await;
            let key = instance.key.clone();
            if let Err(error) = target.remove_now(vec![instance]).await {
                tracing::warn!(job = %key, error = chain(&error), "a former instance of a job stays behind");
            }
        });
    }

    /// Does the work as a task of the target, and waits for its end.
    async fn finish(
        &self,
        work: impl Future<Output = Result<(), TargetError>> + Send + 'static,
    ) -> Result<(), TargetError> {
        let (done, outcome) = oneshot::channel();
        self.spawn(async move {
            if let Err(Err(error)) = done.send(work.await) {
                tracing::warn!(error = chain(&error), "a removal failed after the call for it was given up");
            }
        });
        outcome.await.unwrap_or(Err(TargetError::Interrupted))
    }

    /// The secrets go last: as long as the job is there it can be deployed again.
    async fn delete_now(&self, key: &JobKey) -> Result<(), TargetError> {
        let path = self.folder.secrets(key);
        let secrets = file::read(&path).ok();
        let instances = self.jobs().get(key).map(JobInstances::all).unwrap_or_default();
        self.remove_now(instances).await?;
        // What came meanwhile belongs to a job that is deployed after this one.
        if file::read(&path).ok() == secrets {
            file::remove(&path, &self.folder.secrets_folder())?;
        }
        if !self.jobs().contains_key(key) {
            self.secrets.discard_next(key)?;
            file::remove(&self.folder.job(key), &self.jobs_folder())?;
        }
        Ok(())
    }

    async fn remove_now(&self, instances: Vec<Arc<Instance>>) -> Result<(), TargetError> {
        {
            let mut jobs = self.jobs();
            for instance in &instances {
                if let Some(entry) = jobs.get_mut(&instance.key) {
                    entry.retire(instance);
                }
            }
        }
        let results = join_all(instances.iter().map(|instance| self.remove_one(instance))).await;
        results.into_iter().collect()
    }

    async fn remove_one(&self, instance: &Arc<Instance>) -> Result<(), TargetError> {
        // Whoever comes second waits here for the first, whose grace period goes on.
        let mut removed = instance.removed.lock().await;
        if *removed {
            // Whoever was starting it may not have noticed at once.
            return Ok(file::remove(&instance.folder, &self.jobs_folder())?);
        }
        // From here on nothing starts a process of it, this lifecycle or a later one.
        note_retirement(instance);
        instance.release_tasks().shutdown().await;
        let mut processes = instance.processes();
        let record = instance.record();
        let place = self.host.config.control_group_place().unwrap_or(Place::Own);
        for (index, replica) in processes.iter_mut().enumerate() {
            // Lifecycle may have been killed before it could note a group that it had just made.
            let others = control_group::possible(&place, &record.group_of(index)).into_iter();
            replica.groups.extend(others.filter(|group| group.is_dir()));
        }
        let stopped = tokio::select! {
            stopped = process_table::stop(&processes, self.host.config.grace) => stopped,
            // A process that is slow to end may write all the more.
            never = log_rotation::keep_small(instance, &self.host.log_watch) => match never {},
        };
        stopped.map_err(|source| TargetError::Stop { job: instance.key.clone(), source })?;
        for process in processes.iter().filter_map(|replica| replica.leader.as_ref()) {
            process.reap();
        }
        for group in processes.iter().flat_map(|replica| &replica.groups) {
            self.remove_group(&instance.key, group).await?;
        }
        for replica in &record.replicas {
            self.host.ports.give_back(replica.port);
        }
        file::remove(&instance.folder, &self.jobs_folder())?;
        *removed = true;
        let mut jobs = self.jobs();
        if let Some(entry) = jobs.get_mut(&instance.key) {
            entry.retired.retain(|other| !Arc::ptr_eq(other, instance));
            if entry.is_empty() {
                jobs.remove(&instance.key);
            }
        }
        Ok(())
    }

    /// Removes a group that nothing is left in. One that is still in use keeps its instance from being forgotten: the
    /// next deletion or the next start removes both.
    async fn remove_group(&self, job: &JobKey, group: &Path) -> Result<(), TargetError> {
        match group_folder::remove(group).await {
            Err(source) if source.kind() == ErrorKind::ResourceBusy => {
                let (path, pids) = (group.to_owned(), group_processes::pids(group));
                Err(TargetError::Group { job: job.clone(), path, pids, source })
            }
            Err(error) => {
                tracing::warn!(group = %group.display(), %error, "an empty control group stays behind");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

/// A full disk must not keep an instance from being removed.
fn note_retirement(instance: &Instance) {
    if let Err(error) = instance.update(|record| record.status = InstanceStatus::Retired) {
        tracing::warn!(job = %instance.key, error = chain(&error), "the record of a job cannot be written");
    }
}
