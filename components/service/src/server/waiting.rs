//! What connections wait for, and which of them has waited longest; how a body that hardly comes counts as awaited.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

/// A transfer that stalls for less is not closed for a newcomer: every transfer waits for the network now and then.
const SPARED_STALL: Duration = Duration::from_secs(3);

/// The least pace of the body of a request, in bytes per second.
const LEAST_PACE: u64 = 1024;

/// So long in all a body may be awaited beyond that pace before it counts. Much less than any limit of a stall.
const GRACE: Duration = Duration::from_secs(10);

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

/// How far the body of a request is behind the least pace. Only the time counts in which the server waits for the client.
#[derive(Debug)]
pub(super) struct Lag {
    grace: Duration,
    waited: Duration,
}

/// Connections that wait, by what they wait for; those that have waited longest come first.
#[derive(Debug, Default)]
pub(super) struct WaitingConnections([BTreeSet<(Instant, u64)>; 3]);

impl Lag {
    /// Of a body that may stall for so long.
    pub(super) fn new(limit: Duration) -> Self {
        Self { grace: GRACE.min(limit / 3), waited: Duration::ZERO }
    }

    /// So many bytes have come after the server had waited for so long.
    pub(super) fn note(&mut self, waited: Duration, received: usize) {
        let received = u64::try_from(received).unwrap_or(u64::MAX);
        let covered = Duration::from_micros(received.saturating_mul(1_000_000) / LEAST_PACE);
        self.waited = self.waited.saturating_add(waited).saturating_sub(covered);
    }

    /// Since when a body counts as awaited for which the server begins to wait now.
    pub(super) fn since(&self, now: Instant) -> Instant {
        now.checked_sub(self.waited.saturating_sub(self.grace)).unwrap_or(now)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);
    const PAUSE: Duration = Duration::from_millis(2900);

    /// How long a body counts as awaited after so many pauses, each with this many bytes at its end.
    fn awaited(pauses: u32, bytes: usize) -> Duration {
        let (mut lag, now) = (Lag::new(LIMIT), Instant::now() + Duration::from_hours(1));
        (0..pauses).for_each(|_| lag.note(PAUSE, bytes));
        now.duration_since(lag.since(now))
    }

    #[test]
    fn a_body_that_drips_counts_as_awaited() {
        assert_eq!(awaited(3, 1), Duration::ZERO, "a few pauses are usual");
        assert!(awaited(5, 1) >= SPARED_STALL, "it goes when others come");
        assert!(awaited(14, 1) >= LIMIT, "it is given up");
    }

    #[test]
    fn a_slow_body_does_not() {
        assert_eq!(awaited(10_000, 2970), Duration::ZERO);
        let mut lag = Lag::new(LIMIT);
        for _ in 0..1000 {
            lag.note(LIMIT, 0);
            lag.note(Duration::ZERO, 31 << 10);
        }
        let now = Instant::now();
        assert_eq!(lag.since(now), now, "a network that comes and goes");
        // What came fast before is not to its credit for ever.
        lag.note(Duration::ZERO, 1 << 30);
        lag.note(2 * LIMIT, 1);
        assert!(now.duration_since(lag.since(now)) > LIMIT);
    }
}
