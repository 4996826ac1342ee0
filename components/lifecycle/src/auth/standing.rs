//! A right on which a connection stands: it is looked at when the connection begins, and whenever it may have changed.

use std::sync::Arc;
use std::time::Duration;

use racetrack_core::error::chain;
use racetrack_service::ApiError;
use racetrack_store::{Scope, Store, StoreError};
use tokio::sync::watch;

use super::authenticator::Purpose;
use super::call::allowed_caller;
use super::refusal::check_scope_of;
use super::{Authenticator, Caller, Credential};
use crate::clock::seconds_since_1970;

/// How long to wait when who may do what cannot be read, before it is tried again.
const NEXT_ATTEMPT: Duration = Duration::from_secs(1);

/// What a caller needs to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    /// To be known.
    Known,
    /// The scope `read_job` for a version of a job.
    Read { name: String, version: String },
    /// Whatever the call of a path of a version of a job asks for; and to be known still, for whoever was named to the job.
    Call { name: String, version: String, path: String, is_known: bool },
}

/// A right, and what was shown for it.
#[derive(Debug)]
pub(crate) struct Standing {
    store: Store,
    authenticator: Arc<Authenticator>,
    credential: Credential,
    right: Right,
    changes: watch::Receiver<u64>,
}

impl Standing {
    /// Watches from now on.
    pub(crate) fn new(
        store: &Store,
        authenticator: &Arc<Authenticator>,
        credential: Credential,
        right: Right,
    ) -> Self {
        let changes = store.access_changes();
        Self { store: store.clone(), authenticator: Arc::clone(authenticator), credential, right, changes }
    }

    /// Ready when the right is lost: its token was revoked or has ended, its user was deactivated, its permission was
    /// taken away, or the public endpoint was closed. Where nobody is asked who they are, it never is.
    pub(crate) async fn lost(mut self) {
        if !self.authenticator.is_required() {
            return std::future::pending().await;
        }
        loop {
            let expiry = match self.look().await {
                Ok(Ok(caller)) => caller.and_then(|caller| caller.token()?.expiry_time),
                Ok(Err(refusal)) => {
                    tracing::debug!(right = ?self.right, reason = %refusal, "a connection has lost its right");
                    return;
                }
                Err(error) => {
                    let error = chain(&error);
                    // Health and readiness report that the database is away; each connection would be a line more, again and again.
                    tracing::debug!(error, "whether a connection may go on cannot be told yet");
                    tokio::time::sleep(NEXT_ATTEMPT).await;
                    continue;
                }
            };
            tokio::select! {
                changed = self.changes.changed() => if changed.is_err() {
                    return;
                },
                () = until(expiry) => {}
            }
        }
    }

    /// The caller, who is unknown where nobody has to be known. The store's failures are apart from refusals.
    async fn look(&self) -> Result<Result<Option<Caller>, ApiError>, StoreError> {
        let access = self.store.access().await?;
        let token = self.credential.token();
        Ok(match &self.right {
            Right::Known => self.authenticator.recognize(token, Purpose::Api, &access).map(Some),
            Right::Read { name, version } => {
                let caller = self.authenticator.recognize(token, Purpose::Api, &access);
                caller.and_then(|caller| {
                    check_scope_of(&caller, Scope::ReadJob, (name, version), version).map(|()| Some(caller))
                })
            }
            Right::Call { name, version, path, is_known } => {
                match self.authenticator.recognize(token, Purpose::Call, &access) {
                    Err(refusal) if *is_known => Err(refusal),
                    caller => allowed_caller(caller, &access, (name, version), (version, path)),
                }
            }
        })
    }
}

/// Waits until a time in seconds since 1970, if there is one.
async fn until(time: Option<i64>) {
    let Some(time) = time else { return std::future::pending().await };
    let seconds = u64::try_from(time.saturating_sub(seconds_since_1970())).unwrap_or(0);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
