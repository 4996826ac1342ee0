//! A job as the API shows it.

use std::collections::BTreeMap;

use racetrack_core::{JobManifest, JobStatus};
use racetrack_store::JobRecord;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::document::schemas::{JobManifestSchema, JobStatusName};

/// A job. Times are seconds since 1970.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobView<'a> {
    name: &'a str,
    version: &'a str,
    #[schema(value_type = JobStatusName)]
    status: JobStatus,
    create_time: i64,
    update_time: i64,
    id: &'a str,
    /// The manifest with its defaults; null when its text is no manifest any more.
    #[schema(value_type = Option<JobManifestSchema>)]
    manifest: Option<JobManifest>,
    manifest_yaml: Option<&'a str>,
    /// Where lifecycle reaches it.
    internal_name: Option<&'a str>,
    /// Where users reach it.
    pub_url: Option<&'a str>,
    error: Option<&'a str>,
    notice: Option<String>,
    image_tag: Option<&'a str>,
    deployed_by: Option<&'a str>,
    last_call_time: Option<i64>,
    infrastructure_target: Option<&'a str>,
    replica_internal_names: &'a [String],
    job_type_version: Option<&'a str>,
    /// What its infrastructure target tells of it.
    #[schema(value_type = BTreeMap<String, Value>)]
    infrastructure_stats: &'a BTreeMap<String, Value>,
}

impl<'a> From<&'a JobRecord> for JobView<'a> {
    fn from(record: &'a JobRecord) -> Self {
        let job = &record.job;
        let manifest_yaml = job.manifest_yaml.as_deref();
        let stale = record.is_stale.then_some("its infrastructure target cannot be asked how it does");
        let notices: Vec<_> = job.notice.as_deref().into_iter().chain(stale).collect();
        Self {
            name: &job.name,
            version: &job.version,
            status: job.status,
            create_time: job.create_time,
            update_time: job.update_time,
            id: &record.id,
            manifest: manifest_yaml.and_then(|yaml| JobManifest::parse_stored(yaml).ok()),
            manifest_yaml,
            internal_name: job.internal_name.as_deref(),
            pub_url: job.pub_url.as_deref(),
            error: job.error.as_deref(),
            notice: (!notices.is_empty()).then(|| notices.join("; ")),
            image_tag: job.image_tag.as_deref(),
            deployed_by: job.deployed_by.as_deref(),
            last_call_time: job.last_call_time,
            infrastructure_target: job.infrastructure_target.as_deref(),
            replica_internal_names: &job.replica_internal_names,
            job_type_version: job.job_type_version.as_deref(),
            infrastructure_stats: &job.infrastructure_stats,
        }
    }
}
