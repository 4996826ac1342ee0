//! Where logs come from, who may read them, and how long things may take.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use futures_util::future::BoxFuture;
use racetrack_core::InfrastructureTarget;
use racetrack_core::host::catalogue::Catalogue;
use racetrack_service::hooks::PluginOwned;
use racetrack_service::{ApiError, HookRuntime};
use racetrack_store::Store;
use serde_json::Value;

use crate::auth::Admission;

/// How soon a client has to enter the namespace. One that does not is gone, or never meant to.
pub(super) const CONNECT_TIME_LIMIT: Duration = Duration::from_secs(10);

/// A client, by what it has shown so far.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// The head of the request that opened the connection.
    pub request: &'a Parts,
    /// What came with the packet that connected; null when nothing did.
    pub auth: &'a Value,
}

/// Finds a job by its name and its version or an alias of it, for a client that may follow its log.
pub type Admit =
    Arc<dyn Fn(Client<'_>, &str, &str) -> BoxFuture<'static, Result<Admission, ApiError>> + Send + Sync>;

/// Gives the infrastructure targets that there are now.
pub type CurrentTargets = Arc<dyn Fn() -> Arc<PluginOwned<Catalogue<InfrastructureTarget>>> + Send + Sync>;

/// Where logs come from, and who may read them.
#[derive(Clone)]
pub struct LogSource {
    /// Knows the jobs.
    pub store: Store,
    /// Have the streamers.
    pub targets: CurrentTargets,
    /// Calls the streamers.
    pub hooks: HookRuntime,
    /// Who may read what.
    pub admit: Admit,
    /// How long things may take.
    pub limits: Limits,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The acknowledgement of a line by the client.
    pub acknowledgement: Duration,
    /// One call of a streamer. While a session is being created, waiting for the client counts as well.
    pub streamer_call: Duration,
    /// The first subscription of a client, and the end of one that is disconnected.
    pub idleness: Duration,
}

impl LogSource {
    /// Logs for those whom `admit` lets in.
    pub fn new(store: Store, targets: CurrentTargets, hooks: HookRuntime, admit: Admit) -> Self {
        Self { store, targets, hooks, admit, limits: Limits::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            acknowledgement: Duration::from_secs(20),
            streamer_call: Duration::from_secs(10),
            idleness: CONNECT_TIME_LIMIT,
        }
    }
}

impl fmt::Debug for LogSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSource")
            .field("store", &self.store)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
