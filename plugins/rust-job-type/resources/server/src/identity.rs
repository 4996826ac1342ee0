//! What the job is told about itself by its environment.

use serde_json::{Value, json};

/// The variables that Racetrack sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    pub(crate) job_name: String,
    pub(crate) job_version: String,
    deployment_timestamp: Option<String>,
    git_version: Option<String>,
    deployed_by_racetrack_version: Option<String>,
    job_type_version: Option<String>,
}

impl Identity {
    /// Reads the variables.
    pub(crate) fn from_environment() -> Self {
        Self::read(|name| std::env::var_os(name)?.into_string().ok())
    }

    /// Reads the variables from elsewhere.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            job_name: variable("JOB_NAME").unwrap_or_default(),
            job_version: variable("JOB_VERSION").unwrap_or_default(),
            deployment_timestamp: variable("JOB_DEPLOYMENT_TIMESTAMP"),
            git_version: variable("GIT_VERSION"),
            deployed_by_racetrack_version: variable("DEPLOYED_BY_RACETRACK_VERSION"),
            job_type_version: variable("JOB_TYPE_VERSION"),
        }
    }

    /// Where the proxy serves the job.
    pub(crate) fn base_path(&self) -> String {
        format!("/pub/job/{}/{}", self.job_name, self.job_version)
    }

    /// What `/live` answers.
    pub(crate) fn live(&self) -> Value {
        json!({ "live": true, "deployment_timestamp": self.deployment_timestamp() })
    }

    /// What `/health` answers.
    pub(crate) fn health(&self) -> Value {
        json!({
            "service": "job",
            "job_name": self.job_name,
            "live": true,
            "ready": true,
            "status": "pass",
            "error": null,
            "job_version": self.job_version,
            "git_version": self.git_version,
            "deployed_by_racetrack_version": self.deployed_by_racetrack_version,
            "deployment_timestamp": self.deployment_timestamp(),
            "job_type_version": self.job_type_version,
        })
    }

    /// A number, if it is one.
    fn deployment_timestamp(&self) -> Value {
        match &self.deployment_timestamp {
            None => Value::Null,
            Some(text) => text.parse::<i64>().map_or_else(|_| Value::from(text.clone()), Value::from),
        }
    }
}
