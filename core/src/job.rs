//! Jobs: user's code that runs on an infrastructure target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A job as lifecycle knows it. Times are seconds since 1970 in UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Job {
    /// The name of the job.
    pub name: String,
    /// Its exact version.
    pub version: String,
    /// How the job does.
    pub status: JobStatus,
    /// When it was first deployed.
    pub create_time: i64,
    /// When it was last deployed.
    pub update_time: i64,
    /// The manifest it was deployed with, as YAML.
    pub manifest_yaml: Option<String>,
    /// Where lifecycle reaches it: `host:port`.
    pub internal_name: Option<String>,
    /// Where users reach it.
    pub pub_url: Option<String>,
    /// What is wrong with it.
    pub error: Option<String>,
    /// Something its owner should know.
    pub notice: Option<String>,
    /// The tag of its images.
    pub image_tag: Option<String>,
    /// Who deployed it.
    pub deployed_by: Option<String>,
    /// When it was last called.
    pub last_call_time: Option<i64>,
    /// The infrastructure target it runs on.
    pub infrastructure_target: Option<String>,
    /// Where lifecycle reaches each of its replicas.
    pub replica_internal_names: Vec<String>,
    /// Its job type with the exact version: `python3:2.4.0`.
    pub job_type_version: Option<String>,
    /// Whatever the infrastructure tells of it.
    pub infrastructure_stats: BTreeMap<String, Value>,
}

/// How a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Being deployed; it does not answer yet.
    Starting,
    /// It answers.
    Running,
    /// It is there, and does not answer as it should.
    Error,
    /// The infrastructure has it, and lifecycle does not know it.
    Orphaned,
    /// Lifecycle knows it, and the infrastructure does not have it.
    Lost,
}

impl Job {
    /// A job with the required fields; every other field is empty.
    pub fn new(name: &str, version: &str, status: JobStatus, time: i64) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            status,
            create_time: time,
            update_time: time,
            manifest_yaml: None,
            internal_name: None,
            pub_url: None,
            error: None,
            notice: None,
            image_tag: None,
            deployed_by: None,
            last_call_time: None,
            infrastructure_target: None,
            replica_internal_names: Vec::new(),
            job_type_version: None,
            infrastructure_stats: BTreeMap::new(),
        }
    }
}
