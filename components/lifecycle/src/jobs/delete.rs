//! Deletes a job.

use racetrack_core::JobStatus;
use racetrack_service::ApiError;
use racetrack_store::{AuditEventType, JobRecord};

use crate::App;
use crate::api_error::store_error;
use crate::audit::{self, about_job};
use crate::auth::seconds_since_1970;
use crate::deployment::{DeploymentError, post_job_delete};

/// Deletes a job from its target, and then from what lifecycle knows. Plugins are told; their failures are logged, and
/// noted in the audit trail.
///
/// # Errors
/// 409 while it is being deployed; otherwise whatever keeps it in place.
pub(crate) async fn delete(app: &App, record: &JobRecord, executor: Option<&str>) -> Result<(), ApiError> {
    let job = &record.job;
    let (name, version) = (job.name.as_str(), job.version.as_str());
    let under_way = app.store.deployments_in_progress().await.map_err(store_error)?;
    if under_way.iter().any(|other| (other.job_name.as_str(), other.job_version.as_str()) == (name, version))
    {
        return Err(ApiError::already_exists(format!(
            "job {name} v{version} is being deployed; it can be deleted when that is over"
        )));
    }
    if let Some(target) = &job.infrastructure_target {
        match app.target(target) {
            Ok(target) => target.delete_job(name, version).await.map_err(DeploymentError::Delete)?,
            // The target went with its plugin, and the job with it.
            Err(error) if job.status == JobStatus::Lost => {
                tracing::warn!(job = name, version, "deleting a lost job, although: {error}");
            }
            Err(error) => return Err(error.into()),
        }
    }
    let deleted = app.store.delete_job(name, version, executor, seconds_since_1970()).await;
    deleted.map_err(store_error)?;
    let failures = post_job_delete(app, job, executor).await;
    let mut event = about_job(AuditEventType::JobDeleted, executor, (name, version));
    if !failures.is_empty() {
        event.properties.insert("warnings".to_owned(), failures.into());
    }
    audit::add(app, &event).await;
    Ok(())
}
