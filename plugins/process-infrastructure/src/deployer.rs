//! Deploys and deletes jobs, and keeps their secrets.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use racetrack_core::job_bundle::{FILE_NAME, JOB_FOLDER};
use racetrack_core::{
    DeployJob, EnvVars, HookResult, Job, JobBundle, JobDeployer, JobSecrets, JobStatus, async_trait,
};

use crate::instance::environment::{self, EnvironmentSources};
use crate::instance::launch::launch;
use crate::instance::resources;
use crate::instance::supervision;
use crate::instance::{Instance, InstanceRecord, InstanceStatus, ReplicaRecord};
use crate::process_target::ProcessTarget;
use crate::state::job_key::JobKey;
use crate::state::seal::SealError;
use crate::system::limits::AppliedLimits;
use crate::system::random::random_name;
use crate::target::{Target, TargetError};

/// Why there is nothing to start a process from.
#[derive(Debug, thiserror::Error)]
enum BundleError {
    #[error(
        "{0:?} is no absolute path of a job bundle; the process infrastructure runs what the bundle engine builds"
    )]
    NoPath(String),
    #[error("the job has {0} images; the process infrastructure runs jobs of one")]
    Images(usize),
    #[error("cannot read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{} does not say how to start the job", path.display())]
    Shape {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    #[error("the command in {} is empty", .0.display())]
    NoCommand(PathBuf),
    #[error("the bundle {} has no folder `{JOB_FOLDER}`", .0.display())]
    NoJobFolder(PathBuf),
}

/// No secrets are kept of a job.
#[derive(Debug, thiserror::Error)]
#[error("no secrets are kept for job {0}")]
struct NoSecrets(JobKey);

#[async_trait]
impl JobDeployer for ProcessTarget {
    async fn deploy_job(&self, request: DeployJob<'_>) -> HookResult<Job> {
        self.deploy(request).await
    }

    async fn delete_job(&self, name: &str, version: &str) -> HookResult {
        let Ok(key) = JobKey::new(name, version) else { return Ok(()) };
        self.0.resume().await?;
        Ok(self.0.delete(key).await?)
    }

    async fn job_exists(&self, name: &str, version: &str) -> HookResult<bool> {
        let Ok(key) = JobKey::new(name, version) else { return Ok(false) };
        self.0.resume().await?;
        Ok(self.0.jobs().get(&key).is_some_and(|entry| entry.representative().is_some()))
    }

    async fn save_job_secrets(&self, name: &str, version: &str, secrets: &JobSecrets) -> HookResult {
        let key = JobKey::new(name, version)?;
        self.0.resume().await?;
        let serves = self.0.jobs().get(&key).is_some_and(|entry| entry.current.is_some());
        Ok(self.0.secrets.save(self.0.host.seal()?, &key, secrets, serves)?)
    }

    async fn get_job_secrets(&self, name: &str, version: &str) -> HookResult<JobSecrets> {
        let key = JobKey::new(name, version)?;
        self.0.resume().await?;
        match self.0.host.seal().and_then(|seal| self.0.secrets.read(seal, &key)) {
            Err(SealError::State(error)) if error.is_not_found() => Err(NoSecrets(key).into()),
            secrets => Ok(secrets?),
        }
    }

    async fn check_storage(&self) -> HookResult {
        let folder = self.0.folder.clone();
        Ok(tokio::task::spawn_blocking(move || folder.check_room()).await??)
    }
}

impl ProcessTarget {
    /// Starts an instance beside the one in service, if there is one.
    pub(crate) async fn deploy(&self, deployment: DeployJob<'_>) -> HookResult<Job> {
        let target = &self.0;
        target.resume().await?;
        let key = JobKey::new(&deployment.manifest.name, &deployment.manifest.version)?;
        let (record, environment) = match prepare(target, deployment) {
            Ok(prepared) => prepared,
            Err(error) => {
                // They were for this deployment and must not get into another one.
                target.secrets.discard_next(&key)?;
                return Err(error);
            }
        };
        let (instance, former) = add_candidate(target, &key, record);
        target.remove(former).await?;
        if let Err(error) = start(target, &instance, &environment) {
            target.remove(vec![instance]).await?;
            return Err(error);
        }
        Ok(job_of(target, &instance.record(), JobStatus::Starting))
    }
}

/// The job that an instance stands for, without its condition.
pub(crate) fn job_of(target: &Target, record: &InstanceRecord, status: JobStatus) -> Job {
    let time = record.deployment_timestamp;
    let mut job = Job::new(&record.job_name, &record.job_version, status, time);
    job.manifest_yaml = Some(record.manifest_yaml.clone());
    job.image_tag = Some(record.image_tag.clone());
    job.infrastructure_target = Some(target.name.clone());
    job.job_type_version = Some(record.job_type.clone());
    job.replica_internal_names = record.replicas.iter().map(|replica| internal_name(replica.port)).collect();
    job.internal_name = job.replica_internal_names.first().cloned();
    job
}

/// Where lifecycle reaches what listens on a port.
pub(crate) fn internal_name(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// Checks a deployment; what is to be started for it, and in which environment.
fn prepare(target: &Target, deployment: DeployJob<'_>) -> HookResult<(InstanceRecord, EnvVars)> {
    let manifest = deployment.manifest;
    let (folder, bundle) = load_bundle(deployment.image_names)?;
    let limits = resources::limits(manifest.resources.as_ref(), &target.host.config)?;
    let environment = environment::assemble(EnvironmentSources {
        manifest,
        bundle: &bundle,
        runtime: deployment.runtime_env_vars,
        secret: deployment.runtime_secret_vars,
        deployment_timestamp: deployment.deployment_timestamp,
        path: &target.host.config.path,
    })?;
    let record = InstanceRecord {
        id: random_name(),
        job_name: manifest.name.clone(),
        job_version: manifest.version.clone(),
        generation: 0,
        status: InstanceStatus::Candidate,
        deployment_timestamp: deployment.deployment_timestamp,
        bundle: folder,
        job_type: bundle.job_type,
        command: bundle.command,
        manifest_yaml: serde_yaml::to_string(manifest)?,
        image_tag: deployment.tag.to_owned(),
        limits,
        applied_limits: AppliedLimits::default(),
        replicas: vec![ReplicaRecord::default(); usize::try_from(manifest.replicas)?],
    };
    Ok((record, environment))
}

/// Makes room for a new instance, which is found from now on, by a deletion for example. What was tried before it and
/// never came into service has to go.
fn add_candidate(
    target: &Target,
    key: &JobKey,
    mut record: InstanceRecord,
) -> (Arc<Instance>, Vec<Arc<Instance>>) {
    let mut jobs = target.jobs();
    let entry = jobs.entry(key.clone()).or_default();
    record.generation = entry.next_generation();
    let folder = target.folder.job(key).join(record.generation.to_string());
    let instance = Arc::new(Instance::new(key.clone(), folder, record, &target.host.config));
    let former: Vec<_> = entry.candidate.replace(Arc::clone(&instance)).into_iter().collect();
    entry.retired.extend(former.clone());
    (instance, former)
}

fn start(target: &Target, instance: &Arc<Instance>, environment: &EnvVars) -> HookResult {
    let seal = target.host.seal().map_err(TargetError::from)?;
    // The record comes before the first process: whatever happens then, a later lifecycle finds the processes.
    instance.update(|_| ())?;
    target.secrets.give_next(&instance.key, &instance.secrets_file())?;
    seal.write(&instance.environment_file(), &instance.environment_purpose(), environment)?;
    for index in 0..instance.logs.len() {
        launch(instance, index, &target.host)?;
    }
    supervision::start(instance, &target.host);
    Ok(())
}

fn load_bundle(image_names: &[String]) -> Result<(PathBuf, JobBundle), BundleError> {
    const LONGEST: u64 = 1024 * 1024;
    let [name] = image_names else { return Err(BundleError::Images(image_names.len())) };
    let folder = Path::new(name);
    if !folder.is_absolute() {
        return Err(BundleError::NoPath(name.clone()));
    }
    let path = folder.join(FILE_NAME);
    let mut content = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut content))
        .map_err(|source| BundleError::Unreadable { path: path.clone(), source })?;
    let bundle: JobBundle = serde_json::from_slice(&content)
        .map_err(|source| BundleError::Shape { path: path.clone(), source })?;
    if bundle.command.first().is_none_or(String::is_empty) {
        return Err(BundleError::NoCommand(path));
    }
    if !folder.join(JOB_FOLDER).is_dir() {
        return Err(BundleError::NoJobFolder(folder.to_owned()));
    }
    Ok((folder.to_owned(), bundle))
}
