//! What connections wait for, and which of them has waited longest.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

/// A transfer that stalls for less is not closed for a newcomer: every transfer waits for the network now and then.
const SPARED_STALL: Duration = Duration::from_secs(3);

/// What a connection waits for its client to do, in the order in which it is closed for newcomers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// To send the head of a request: the first one, or one that has begun to arrive.
    Head,
    /// To send another request.
    Next,
    /// To go on with a body: to send that of a request, or to take that of an answer.
    Transfer,
}

/// A connection that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) wait: Wait,
    pub(super) since: Instant,
    pub(super) id: u64,
}

/// Connections that wait, by what they wait for; those that have waited longest come first.
#[derive(Debug, Default)]
pub(super) struct WaitingConnections([BTreeSet<(Instant, u64)>; 3]);

impl WaitingConnections {
    pub(super) fn insert(&mut self, Waiting { wait, since, id }: Waiting) {
        self.0[wait as usize].insert((since, id));
    }

    pub(super) fn remove(&mut self, Waiting { wait, since, id }: &Waiting) {
        self.0[*wait as usize].remove(&(*since, *id));
    }

    /// The one to close for a newcomer.
    pub(super) fn first_to_go(&self, now: Instant) -> Option<u64> {
        let oldest = |wait| self.0[wait as usize].first().copied();
        let transfer =
            || oldest(Wait::Transfer).filter(|(since, _)| now.duration_since(*since) >= SPARED_STALL);
        let first = oldest(Wait::Head).or_else(|| oldest(Wait::Next)).or_else(transfer);
        first.map(|(_, id)| id)
    }

    /// One that has waited for as long as the limit.
    pub(super) fn expired(&self, wait: Wait, limit: Duration, now: Instant) -> Option<u64> {
        let (since, id) = self.0[wait as usize].first().copied()?;
        (now.duration_since(since) >= limit).then_some(id)
    }
}
