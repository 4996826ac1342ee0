//! Brings back jobs that their infrastructure target has lost.

use racetrack_core::JobStatus;
use racetrack_service::ApiError;
use racetrack_store::StoreError;

use crate::App;
use crate::deployment::again;

/// Who brings jobs back when nobody asked for it.
const RECONCILER: &str = "racetrack";

/// Deploys every lost job again from its images, one after the other. What fails is logged, and tried the next time.
pub(crate) async fn reconcile(app: &App, executor: Option<&str>) -> Result<(), StoreError> {
    let jobs = app.store.jobs().await?;
    let lost = jobs.as_slice().iter().filter(|record| record.job.status == JobStatus::Lost);
    for record in lost {
        let (name, version) = (&record.job.name, &record.job.version);
        // The one before may have taken long: somebody may have deployed or deleted this one meanwhile.
        let Ok(record) = app.store.job(name, version).await else { continue };
        if record.job.status != JobStatus::Lost {
            continue;
        }
        match again::reprovision(app, &record, Some(executor.unwrap_or(RECONCILER))).await {
            Ok(()) => tracing::info!(job = name, version, "a lost job is back"),
            Err(error) => {
                let error = ApiError::from(error);
                tracing::warn!(job = name, version, %error, "a lost job is not brought back");
            }
        }
    }
    Ok(())
}
