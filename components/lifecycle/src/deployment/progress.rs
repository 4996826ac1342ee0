//! The record of a deployment under way.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use racetrack_core::error::chain;
use racetrack_core::failure::HookFailureCause;
use racetrack_store::{AuditEventType, Deployment, DeploymentOutcome, NewAuditEvent};
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::DeploymentError;
use crate::App;

/// How long to wait between attempts to end a record: as long as it is not ended, nobody can deploy the version. The
/// database may be away for a restart of its own.
const FINISHING_PAUSES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(10), Duration::from_mins(1)];

/// Runs the deployment that was claimed in a task of its own, and ends its record whatever happens.
///
/// Whoever asked for it may go away: the task goes on.
pub(crate) fn run_claimed<F>(
    app: App,
    deployment: Deployment,
    run: impl FnOnce(App, Deployment) -> F + Send + 'static,
) -> JoinHandle<Result<(), DeploymentError>>
where
    F: Future<Output = Result<(), DeploymentError>> + Send,
{
    let span = tracing::info_span!(
        "deployment",
        id = deployment.id,
        job = deployment.job_name,
        version = deployment.job_version
    );
    let task = async move {
        let running = AssertUnwindSafe(run(app.clone(), deployment.clone())).catch_unwind().await;
        let result = running.unwrap_or_else(|payload| {
            Err(DeploymentError::Panicked(HookFailureCause::from_panic(&*payload).to_string()))
        });
        finish(&app, &deployment, result.as_ref().err().map(|error| chain(error))).await;
        result
    };
    tokio::spawn(task.instrument(span))
}

/// Says what is being done now. That it cannot be said does not end the deployment.
pub(super) async fn phase(app: &App, deployment: &Deployment, phase: &str) {
    tracing::info!("{phase}");
    if let Err(error) = app.store.set_deployment_phase(&deployment.id, phase).await {
        tracing::error!(error = chain(&error), "the phase of a deployment is not kept");
    }
}

/// Adds to what the owner of the job should know: one line, however many the text has.
pub(super) async fn warn(app: &App, deployment: &Deployment, text: &str) {
    let line = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    tracing::warn!("{line}");
    if let Err(error) = app.store.add_deployment_warnings(&deployment.id, &line).await {
        tracing::error!(error = chain(&error), "a warning of a deployment is not kept");
    }
}

/// Ends the record.
pub(super) async fn finish(app: &App, deployment: &Deployment, error: Option<String>) {
    let outcome = match error {
        None => {
            tracing::info!("the job is deployed");
            DeploymentOutcome::Done
        }
        Some(error) => {
            tracing::warn!(error, "the job is not deployed");
            audit_failure(app, deployment, &error).await;
            DeploymentOutcome::Failed { error }
        }
    };
    for pause in FINISHING_PAUSES.map(Some).into_iter().chain([None]) {
        let Err(error) = app.store.finish_deployment(&deployment.id, &outcome).await else { return };
        let error = chain(&error);
        tracing::error!(error, "the end of a deployment is not kept; until it is, the version stays claimed");
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
    }
}

async fn audit_failure(app: &App, deployment: &Deployment, error: &str) {
    let mut event = NewAuditEvent::new(AuditEventType::DeploymentFailed);
    event.properties.insert("error".to_owned(), error.into());
    event.properties.insert("deployment_id".to_owned(), deployment.id.clone().into());
    event.username_executor.clone_from(&deployment.deployed_by);
    event.job_name = Some(deployment.job_name.clone());
    event.job_version = Some(deployment.job_version.clone());
    crate::audit::add(app, &event).await;
}
