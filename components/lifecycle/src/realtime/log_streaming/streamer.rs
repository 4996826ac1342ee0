//! Calls the streamer of an infrastructure target.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use racetrack_core::host::catalogue::Offer;
use racetrack_core::host::failure::HookFailureCause;
use racetrack_core::{InfrastructureTarget, LogsSession, LogsStreamer, OnLine};
use racetrack_service::HookRuntime;
use racetrack_service::hooks::{TargetCall, TargetFailure};

/// The streamer of a target. Whoever follows logs does not keep it: a target whose plugin has got another configuration
/// must be able to let go of its jobs.
#[derive(Clone)]
pub(super) struct Streamer {
    inner: Weak<dyn LogsStreamer>,
    hooks: HookRuntime,
    target: String,
    plugin: usize,
    limit: Duration,
}

impl Streamer {
    /// The streamer of a target, if it has one. No call of it may take longer than `limit`.
    pub(super) fn of(
        name: &str,
        target: &Offer<InfrastructureTarget>,
        hooks: &HookRuntime,
        limit: Duration,
    ) -> Option<Self> {
        let inner = Arc::downgrade(target.item.logs_streamer.as_ref()?);
        Some(Self { inner, hooks: hooks.clone(), target: name.to_owned(), plugin: target.plugin, limit })
    }

    pub(super) async fn create_session(
        &self,
        session: LogsSession,
        on_line: OnLine,
    ) -> Result<(), Box<TargetFailure>> {
        let is_given_up = Arc::new(AtomicBool::new(false));
        let (streamer, is_late) = (self.inner.upgrade(), Arc::clone(&is_given_up));
        let create = async move {
            let streamer = streamer.ok_or("its plugin has just got another configuration")?;
            let id = session.id.clone();
            let created = streamer.create_session(session, on_line).await;
            // Whoever gave it up has closed the session too, but possibly before it was there.
            if is_late.load(Ordering::Acquire) {
                streamer.close_session(&id).await?;
            }
            created
        };
        let created = self.hooks.call_target(self.call("create_session"), move || Box::pin(create)).await;
        let is_blocked = |failure: &TargetFailure| matches!(failure.cause, HookFailureCause::Blocked { .. });
        if created.as_ref().is_err_and(|failure| is_blocked(failure)) {
            is_given_up.store(true, Ordering::Release);
        }
        created
    }

    pub(super) async fn close_session(&self, session_id: &str) -> Result<(), Box<TargetFailure>> {
        // One that is gone has no sessions.
        let Some(streamer) = self.inner.upgrade() else { return Ok(()) };
        let session_id = session_id.to_owned();
        let close = async move { streamer.close_session(&session_id).await };
        self.hooks.call_target(self.call("close_session"), move || Box::pin(close)).await
    }

    fn call(&self, method: &'static str) -> TargetCall<'_> {
        TargetCall { target: &self.target, plugin: self.plugin, method, limit: Some(self.limit) }
    }
}
