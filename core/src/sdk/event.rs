//! What hooks are told. Each event is one struct that may gain fields, so a new field breaks no plugin.

use serde_json::{Map, Value};

use crate::model::job::Job;
use crate::model::job_manifest::JobManifest;

/// A job has been deployed and answers.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PostJobDeploy<'a> {
    /// The manifest the job was deployed with.
    pub manifest: &'a JobManifest,
    /// The job as it now is.
    pub job: &'a Job,
    /// The name of the job's entrypoint image.
    pub image_name: &'a str,
    /// Who deployed it, if that is known.
    pub deployer_username: Option<&'a str>,
}

/// A job has been deleted.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PostJobDelete<'a> {
    /// The job as it was.
    pub job: &'a Job,
    /// Who deleted it, if that is known.
    pub username_executor: Option<&'a str>,
}

/// Somebody runs the plugin's action.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RunAction<'a> {
    /// The parameters of the request: those of the query string, overridden by those of the JSON body. Who asks is an administrator who
    /// may read all jobs.
    pub parameters: &'a Map<String, Value>,
}

/// A job is about to be built.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ValidateJobManifest<'a> {
    /// The manifest to validate.
    pub manifest: &'a JobManifest,
    /// The job type that was chosen, with its exact version: `python3:2.4.0`.
    pub job_type: &'a str,
}

impl<'a> PostJobDeploy<'a> {
    /// The event without a known deployer.
    pub const fn new(manifest: &'a JobManifest, job: &'a Job, image_name: &'a str) -> Self {
        Self { manifest, job, image_name, deployer_username: None }
    }

    /// The event with the user who deployed the job.
    #[must_use]
    pub const fn deployed_by(mut self, username: &'a str) -> Self {
        self.deployer_username = Some(username);
        self
    }
}

impl<'a> PostJobDelete<'a> {
    /// The event without a known executor.
    pub const fn new(job: &'a Job) -> Self {
        Self { job, username_executor: None }
    }

    /// The event with the user who deleted the job.
    #[must_use]
    pub const fn deleted_by(mut self, username: &'a str) -> Self {
        self.username_executor = Some(username);
        self
    }
}

impl<'a> RunAction<'a> {
    /// The event.
    pub const fn new(parameters: &'a Map<String, Value>) -> Self {
        Self { parameters }
    }
}

impl<'a> ValidateJobManifest<'a> {
    /// The event.
    pub const fn new(manifest: &'a JobManifest, job_type: &'a str) -> Self {
        Self { manifest, job_type }
    }
}
