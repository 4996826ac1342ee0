//! Jobs: user's code that runs on an infrastructure target.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::job_manifest::MAX_REPLICAS;
use crate::text::{BoundedText, TextLimit};

/// The most that an infrastructure's statistics of a job may be, in bytes of JSON.
const MAX_STATISTICS: usize = 16 * 1024;

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

    /// Cuts what an infrastructure target says of the job to what is kept of it, for every listing shows it: the error and
    /// the notice are cut, statistics that are too large are replaced by a note, and of the addresses those that cannot
    /// be ones are dropped.
    pub fn limit_report(&mut self) {
        self.error = self.error.take().map(|error| BoundedText::new(error, TextLimit::NOTE).into());
        self.notice = self.notice.take().map(|notice| BoundedText::new(notice, TextLimit::ANSWER).into());
        self.infrastructure_stats = limited_statistics(std::mem::take(&mut self.infrastructure_stats));
        let is_possible = |name: &String| name.len() <= TextLimit::PHASE.get();
        self.internal_name = self.internal_name.take().filter(is_possible);
        self.job_type_version = self.job_type_version.take().filter(is_possible);
        self.replica_internal_names.retain(is_possible);
        self.replica_internal_names.truncate(MAX_REPLICAS as usize);
    }
}

/// The statistics, or how large they are if that is more than 16 KiB of JSON.
pub fn limited_statistics(statistics: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let size = serde_json::to_vec(&statistics).map_or(0, |json| json.len());
    if size <= MAX_STATISTICS {
        return statistics;
    }
    let note = format!("{size} bytes of statistics, more than {MAX_STATISTICS}");
    BTreeMap::from([("left_out".to_owned(), json!(note))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_infrastructure_says_is_cut() {
        let mut job = Job::new("adder", "1.0.0", JobStatus::Error, 7);
        job.error = Some("e".repeat(4_000_000));
        job.notice = Some("n".repeat(4_000_000));
        job.internal_name = Some("i".repeat(4_000_000));
        job.replica_internal_names = vec!["127.0.0.1:20000".to_owned(); 100_000];
        job.infrastructure_stats = BTreeMap::from([("pids".to_owned(), json!(vec![4711; 100_000]))]);
        job.limit_report();
        assert!(serde_json::to_string(&job).unwrap().len() < 20_000);
        assert_eq!(job.infrastructure_stats["left_out"], "500010 bytes of statistics, more than 16384");
        assert_eq!((&job.internal_name, job.replica_internal_names.len()), (&None, 50));
        let once = job.clone();
        job.limit_report();
        assert_eq!(job, once);
    }
}
