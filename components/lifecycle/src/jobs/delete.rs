//! Deletes a job.

use racetrack_service::ApiError;
use racetrack_store::{AuditEventType, JobRecord};
use tracing::Instrument;

use crate::App;
use crate::audit::{self, about_job, with_warnings};
use crate::clock::seconds_since_1970;
use crate::deployment::{DeploymentError, post_job_delete};
use crate::request_error::RequestError;

/// Deletes a job from its target, and then from what lifecycle knows. Plugins are told; their failures are logged, and
/// noted in the audit trail.
///
/// # Errors
/// 409 while it is being deployed; otherwise whatever keeps it in place.
pub(crate) async fn delete(
    app: &App,
    name: &str,
    version: &str,
    executor: Option<&str>,
) -> Result<(), RequestError> {
    let deletion = app.deletions.begin(&app.store, name, version).await?;
    // Read after that: before it, somebody else may have deployed or moved it.
    let record = app.store.job(name, version).await?;
    let (app, executor) = (app.clone(), executor.map(str::to_owned));
    // Whoever asked may go away, and lifecycle may be told to stop: a job that is gone from its target must not stay here.
    let hold = app.service.readiness.hold();
    let task = async move {
        let deleted = delete_claimed(&app, &record, executor.as_deref()).await;
        drop((deletion, hold));
        deleted
    };
    tokio::spawn(task.in_current_span()).await.map_err(ApiError::internal)?
}

async fn delete_claimed(app: &App, record: &JobRecord, executor: Option<&str>) -> Result<(), RequestError> {
    let job = &record.job;
    let (name, version) = (job.name.as_str(), job.version.as_str());
    let mut warnings = Vec::new();
    if let Some(target) = &job.infrastructure_target {
        match app.target(target) {
            Ok(target) => target.delete_job(name, version).await.map_err(DeploymentError::Delete)?,
            // Its plugin is not in this binary any more: what is left on the target cannot be reached from here.
            Err(error) => {
                let warning = format!("infrastructure target {target} was not asked to delete it: {error}");
                tracing::warn!(job = name, version, "{warning}");
                warnings.push(warning);
            }
        }
    }
    let deleted = app.store.delete_job(name, version, executor, seconds_since_1970()).await;
    deleted?;
    app.retention.job_deleted();
    warnings.extend(post_job_delete(app, job, executor).await);
    let event = about_job(AuditEventType::JobDeleted, executor, (name, version));
    audit::add(app, &with_warnings(event, warnings)).await;
    Ok(())
}
