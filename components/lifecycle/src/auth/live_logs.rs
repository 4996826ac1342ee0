//! Who may follow the log of a job as it grows.

use std::sync::Arc;

use axum::http::HeaderMap;
use futures_util::future::BoxFuture;
use racetrack_service::peer::Peer;
use racetrack_store::{JobRecord, Scope, Store};
use serde::Deserialize;

use super::recent_readers::RecentReaders;
use super::refusal::{check_scope_of, shown_to};
use super::standing::{Right, Standing};
use super::{Authenticator, Caller, Credential};
use crate::request_error::RequestError;

/// What is asked of those who follow logs without showing a token where they follow them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LiveLogs {
    /// They are refused.
    Token,
    /// They have asked for the job right before, from the same address, with a token that may read it.
    #[default]
    Recent,
    /// Nothing.
    Open,
}

/// Decides who may follow a log, and knows for how long.
#[derive(Clone, Debug)]
pub(crate) struct LogGate {
    pub(crate) store: Store,
    pub(crate) authenticator: Arc<Authenticator>,
    pub(crate) recent: Arc<RecentReaders>,
    pub(crate) live_logs: LiveLogs,
}

/// Somebody who may follow the log of a job.
pub struct Admission {
    /// The job.
    pub record: Arc<JobRecord>,
    /// Ready when the right to follow it is lost.
    pub lost: BoxFuture<'static, ()>,
}

impl LogGate {
    /// Lets a client follow the log of a job, whose version may be an alias, if it may read the job. `peer` is the address
    /// that the client calls from.
    ///
    /// # Errors
    /// What a request for the log is refused with: 401 with the reason, 404 when there is no such job.
    pub(crate) async fn admit(
        &self,
        credential: Credential,
        peer: Option<Peer>,
        name: &str,
        version_or_alias: &str,
    ) -> Result<Admission, RequestError> {
        if credential.token().is_some() || !self.authenticator.is_required() {
            return self.admit_caller(credential, name, version_or_alias).await;
        }
        if self.live_logs == LiveLogs::Open {
            let record = self.store.resolve_job(name, version_or_alias).await?;
            return Ok(Admission { record, lost: Box::pin(std::future::pending()) });
        }
        let shown_before = match peer.filter(|_| self.live_logs == LiveLogs::Recent) {
            Some(peer) => self.shown_before(peer, name, version_or_alias).await?,
            None => None,
        };
        // Without any, the refusal is that of whoever shows nothing.
        self.admit_caller(shown_before.unwrap_or(Credential::NONE), name, version_or_alias).await
    }

    /// Remembers that a program has asked for a job, with what it has shown. A page in a browser can show its token where it
    /// follows the log, so its requests let nobody in.
    pub(crate) fn remember(&self, peer: Option<Peer>, headers: &HeaderMap, record: &JobRecord) {
        let is_of_browser = ["origin", "sec-fetch-site"].iter().any(|name| headers.contains_key(*name));
        let credential = Credential::of_request(headers);
        if self.live_logs != LiveLogs::Recent || is_of_browser || credential.token().is_none() {
            return;
        }
        if let Some(peer) = peer {
            self.recent.remember(peer, &record.job.name, &record.job.version, credential);
        }
    }

    async fn admit_caller(
        &self,
        credential: Credential,
        name: &str,
        version_or_alias: &str,
    ) -> Result<Admission, RequestError> {
        let access = self.store.access().await?;
        // Whoever is unknown is not told which jobs there are.
        let caller: Caller = self.authenticator.authenticate_credential(&credential, &access)?;
        let found = self.store.resolve_job(name, version_or_alias).await.map_err(RequestError::from);
        let record = shown_to(&caller, Scope::ReadJob, (name, version_or_alias), found)?;
        let (name, version) = (&record.job.name, &record.job.version);
        check_scope_of(&caller, Scope::ReadJob, (name, version), version_or_alias)?;
        let right = Right::Read { name: name.clone(), version: version.clone() };
        let standing = Standing::new(&self.store, &self.authenticator, credential, right);
        Ok(Admission { lost: Box::pin(standing.lost()), record })
    }

    async fn shown_before(
        &self,
        peer: Peer,
        name: &str,
        version_or_alias: &str,
    ) -> Result<Option<Credential>, RequestError> {
        let jobs = self.store.jobs().await?;
        let Ok(record) = jobs.resolve(name, version_or_alias) else { return Ok(None) };
        Ok(self.recent.take(peer, &record.job.name, &record.job.version))
    }
}

impl std::fmt::Debug for Admission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admission").field("record", &self.record).finish_non_exhaustive()
    }
}
