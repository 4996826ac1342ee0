//! The record of a deployment under way.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use racetrack_core::error::chain;
use racetrack_core::host::failure::HookFailureCause;
use racetrack_core::text::{BoundedText, TextLimit};
use racetrack_service::phase::Phase;
use racetrack_store::{AuditEventType, Deployment, DeploymentOutcome, NewAuditEvent, StoreError};
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::DeploymentError;
use crate::App;

/// How long to wait at first between attempts to end a record: as long as it is not ended, nobody can deploy the version.
/// The database may be away for a restart of its own.
const FIRST_PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(10)];

/// How long to wait after that, each time.
const LATER_PAUSES: Duration = Duration::from_mins(1);

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
        let reason = |error| BoundedText::new(chain(error), TextLimit::RECORD).into();
        finish(&app, &deployment, result.as_ref().err().map(|error| reason(error))).await;
        result
    };
    tokio::spawn(task.instrument(span))
}

/// Says what is being done now. That it cannot be said does not end the deployment.
pub(super) async fn phase(app: &App, deployment: &Deployment, phase: Phase) {
    tracing::info!("{phase}");
    if let Err(error) = app.store.set_deployment_phase(&deployment.id, &phase.to_string()).await {
        tracing::error!(error = chain(&error), "the phase of a deployment is not kept");
    }
}

/// Adds to what the owner of the job should know: one line, however many the text has.
pub(super) async fn warn(app: &App, deployment: &Deployment, text: &str) {
    let line = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let line: String = BoundedText::new(line, TextLimit::ANSWER).into();
    tracing::warn!("{line}");
    if let Err(error) = app.store.add_deployment_warnings(&deployment.id, &line).await {
        tracing::error!(error = chain(&error), "a warning of a deployment is not kept");
    }
}

/// Ends the record, as the audit trail has it too.
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
    end(app, deployment, outcome).await;
}

/// Keeps the outcome of a deployment, whatever that takes: until it is kept, nobody can deploy the version.
pub(super) async fn end(app: &App, deployment: &Deployment, outcome: DeploymentOutcome) {
    let attempt = |outcome: DeploymentOutcome| async move {
        let kept = app.store.finish_deployment(&deployment.id, &outcome).await;
        kept.map_err(NotKept::from)
    };
    keep(attempt, outcome, pauses(), app.service.readiness.stopping()).await;
}

/// Why an outcome is not kept.
#[derive(Debug)]
struct NotKept {
    kind: NotKeptKind,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotKeptKind {
    /// There is nothing to be kept: an earlier attempt succeeded after all, or there is no such record.
    Settled,
    /// This outcome is never taken.
    Refused,
    /// It may be taken later.
    Away,
}

impl From<StoreError> for NotKept {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Conflict(_) | StoreError::NotFound(_) => NotKeptKind::Settled,
            error if error.is_refusal() => NotKeptKind::Refused,
            _ => NotKeptKind::Away,
        };
        Self { kind, text: chain(&error) }
    }
}

/// Keeps an outcome, in as many attempts as it takes. One that the database refuses for what it says is said in plainer
/// words. When lifecycle stops, the next one takes the deployment up.
async fn keep<F>(
    attempt: impl Fn(DeploymentOutcome) -> F,
    mut outcome: DeploymentOutcome,
    pauses: impl IntoIterator<Item = Duration>,
    stopping: impl Future<Output = ()>,
) where
    F: Future<Output = Result<(), NotKept>>,
{
    let mut stopping = std::pin::pin!(stopping);
    let mut plainer = plainer(&outcome).into_iter();
    for pause in pauses {
        let error = loop {
            let Err(NotKept { kind, text }) = attempt(outcome.clone()).await else { return };
            match kind {
                NotKeptKind::Settled => {
                    tracing::warn!(error = text, "a deployment cannot be ended once more");
                    return;
                }
                NotKeptKind::Away => break text,
                NotKeptKind::Refused => match plainer.next() {
                    Some(next) => {
                        tracing::error!(error = text, "the database refuses the end of a deployment");
                        outcome = next;
                    }
                    // Nothing is plainer: what is in the way may go.
                    None => break text,
                },
            }
        };
        tracing::error!(error, "the end of a deployment is not kept; until it is, the version stays claimed");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = &mut stopping => return,
        }
    }
}

/// What an outcome becomes where the database does not take it: first what is printable ASCII of the reason, then none of
/// it.
fn plainer(outcome: &DeploymentOutcome) -> Vec<DeploymentOutcome> {
    let failed = |error: String| DeploymentOutcome::Failed { error };
    let DeploymentOutcome::Failed { error } = outcome else {
        return vec![failed("the database does not take it that the job is deployed".to_owned())];
    };
    let printable = error.chars().filter(|character| matches!(character, ' '..='~')).collect::<String>();
    let reason = BoundedText::new(printable, TextLimit::bytes(1000)).to_string().replace('…', "...");
    let none = "the database does not take the reason why it failed; the log of lifecycle has it";
    vec![failed(format!("the database takes this of the reason: {reason}")), failed(none.to_owned())]
}

/// The pauses between attempts to end a record, without end.
fn pauses() -> impl Iterator<Item = Duration> {
    FIRST_PAUSES.into_iter().chain(std::iter::repeat(LATER_PAUSES))
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

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::{pending, ready};
    use std::iter::repeat;

    use racetrack_store::Conflict;

    use super::*;

    /// How many attempts are made when this one is the first that does not fail with the database.
    async fn attempts(last: u32, result: fn() -> Result<(), StoreError>) -> u32 {
        let count = Cell::new(0);
        let attempt = |_| {
            count.set(count.get() + 1);
            let result = if count.get() < last { Err(away()) } else { result() };
            ready(result.map_err(NotKept::from))
        };
        keep(attempt, DeploymentOutcome::Done, repeat(Duration::ZERO), pending()).await;
        count.get()
    }

    fn away() -> StoreError {
        StoreError::File { database: "lifecycle".to_owned(), source: std::io::Error::other("away") }
    }

    #[tokio::test]
    async fn a_record_is_ended_however_long_the_database_is_away() {
        assert_eq!(attempts(1, || Ok(())).await, 1);
        assert_eq!(attempts(1000, || Ok(())).await, 1000);
        let over = || Err(Conflict::DeploymentOver { id: "1".to_owned() }.into());
        assert_eq!(attempts(2, over).await, 2);
    }

    /// What is attempted when the database refuses so many outcomes, and is then away once.
    async fn attempted(refused: usize, error: &str) -> Vec<String> {
        let texts = RefCell::new(Vec::new());
        let attempt = |outcome| {
            let DeploymentOutcome::Failed { error } = outcome else { panic!("{outcome:?}") };
            texts.borrow_mut().push(error);
            let kind = match texts.borrow().len() {
                number if number <= refused => NotKeptKind::Refused,
                number if number == refused + 1 => NotKeptKind::Away,
                _ => return ready(Ok(())),
            };
            ready(Err(NotKept { kind, text: "no".to_owned() }))
        };
        let outcome = DeploymentOutcome::Failed { error: error.to_owned() };
        keep(attempt, outcome, repeat(Duration::ZERO), pending()).await;
        texts.into_inner()
    }

    #[tokio::test]
    async fn a_reason_that_the_database_refuses_is_said_in_plainer_words() {
        let reason = "no power\u{1F50C}\u{7}\n";
        let ascii = "the database takes this of the reason: no power";
        let none = "the database does not take the reason why it failed; the log of lifecycle has it";
        assert_eq!(attempted(0, reason).await, [reason, reason]);
        assert_eq!(attempted(1, reason).await, [reason, ascii, ascii]);
        assert_eq!(attempted(2, reason).await, [reason, ascii, none, none]);
        // Nothing is plainer than that: it is tried for as long as it takes, with a pause.
        assert_eq!(attempted(4, reason).await, [reason, ascii, none, none, none, none]);
        let long = attempted(1, &"é~".repeat(1_000_000)).await.remove(1);
        assert!(long.is_ascii() && long.len() < 1100, "{long}");
    }

    #[tokio::test]
    async fn a_lifecycle_that_stops_tries_once_and_leaves_the_rest_to_the_next() {
        let count = Cell::new(0);
        let attempt = |_| {
            count.set(count.get() + 1);
            ready(Err(NotKept::from(away())))
        };
        keep(attempt, DeploymentOutcome::Done, pauses(), ready(())).await;
        assert_eq!(count.get(), 1);
    }

    #[test]
    fn pauses_grow_up_to_a_minute_and_do_not_end() {
        let milliseconds: Vec<_> = pauses().take(6).map(|pause| pause.as_millis()).collect();
        assert_eq!(milliseconds, [100, 1000, 10_000, 60_000, 60_000, 60_000]);
        assert_eq!(pauses().nth(100_000), Some(LATER_PAUSES));
    }
}
