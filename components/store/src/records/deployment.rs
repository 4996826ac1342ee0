//! Deployments: attempts to bring a version of a job up, the one under way and all before.

use serde::{Deserialize, Serialize};

/// An attempt to bring a version of a job up, as the API shows it (without the job). Times are seconds since
/// 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Deployment {
    /// Identifies it.
    pub id: String,
    /// How it goes.
    pub status: DeploymentStatus,
    /// When it was claimed.
    pub create_time: i64,
    /// When it last made progress.
    pub update_time: i64,
    /// Why it failed.
    pub error: Option<String>,
    /// Who asked for it.
    pub deployed_by: Option<String>,
    /// What is being done, or was when it failed.
    pub phase: Option<String>,
    /// The image of the job's entrypoint, once it is known.
    pub image_name: Option<String>,
    /// Where the job is to run.
    pub infrastructure_target: Option<String>,
    /// The job's manifest, as YAML.
    pub manifest_yaml: String,
    /// The job's name.
    pub job_name: String,
    /// The job's version.
    pub job_version: String,
    /// What its owner should know, a line each.
    pub warnings: Option<String>,
}

/// How a deployment goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentStatus {
    /// It is under way.
    InProgress,
    /// The job is up.
    Done,
    /// The job did not come up.
    Failed,
}

/// What is known of a deployment when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDeployment {
    /// The job's name.
    pub job_name: String,
    /// The job's version.
    pub job_version: String,
    /// The job's manifest, as YAML.
    pub manifest_yaml: String,
    /// Where the job is to run.
    pub infrastructure_target: Option<String>,
    /// Who asks for it.
    pub deployed_by: Option<String>,
    /// The image of the job's entrypoint, where nothing is built.
    pub image_name: Option<String>,
}

/// How a deployment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeploymentOutcome {
    /// The job is up.
    Done,
    /// The job did not come up.
    Failed {
        /// Why.
        error: String,
    },
}
