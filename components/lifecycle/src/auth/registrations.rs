//! How many accounts may be made: so many at once, and then one now and then.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use racetrack_service::ApiError;
use racetrack_service::peer::PeerKey;
use tokio::time::Instant;

use crate::request_error::RequestError;

/// All peers together may make as many accounts as so many of them.
const PEERS: u32 = 10;

/// The time after which a peer may make as many accounts again.
const PERIOD: Duration = Duration::from_hours(1);

/// Counts the accounts that are made. The memory is bounded by their number: peers whose accounts do not count any more are
/// forgotten.
#[derive(Debug)]
pub(crate) struct Registrations {
    of_peer: u32,
    table: Mutex<Table>,
}

/// There were too many registrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many accounts were made; try again later, or ask an administrator")]
pub(crate) struct TooManyRegistrations {
    pub(crate) again_in: Duration,
}

#[derive(Debug, Default)]
struct Table {
    all: Option<Instant>,
    peers: HashMap<PeerKey, Instant>,
}

impl Registrations {
    /// No account has been made yet. Each peer may make so many in an hour.
    pub(crate) fn new(of_peer: NonZeroU32) -> Self {
        Self { of_peer: of_peer.get(), table: Mutex::default() }
    }

    /// Counts an account that is about to be made.
    ///
    /// # Errors
    /// [`TooManyRegistrations`] when there were too many before.
    pub(crate) fn count(&self, peer: PeerKey) -> Result<(), TooManyRegistrations> {
        let now = Instant::now();
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.peers.retain(|_, counted_until| *counted_until > now);
        let all = counted_until(table.all, now, self.of_peer.saturating_mul(PEERS))?;
        // Behind an address of this machine may stand everybody, if a proxy is there.
        if !peer.is_shared() {
            let of_peer = counted_until(table.peers.get(&peer).copied(), now, self.of_peer)?;
            table.peers.insert(peer, of_peer);
        }
        table.all = Some(all);
        Ok(())
    }
}

/// Until when accounts count, with one more: each does for a period longer than the former one.
fn counted_until(
    before: Option<Instant>,
    now: Instant,
    at_once: u32,
) -> Result<Instant, TooManyRegistrations> {
    let period = PERIOD / at_once;
    let until = before.map_or(now, |before| before.max(now)) + period;
    match until.checked_duration_since(now + PERIOD) {
        Some(again_in) if !again_in.is_zero() => Err(TooManyRegistrations { again_in }),
        _ => Ok(until),
    }
}

impl From<TooManyRegistrations> for RequestError {
    fn from(error: TooManyRegistrations) -> Self {
        let refused = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", error.to_string());
        refused.retry_after(error.again_in).into()
    }
}

#[cfg(test)]
mod tests {
    use racetrack_service::peer::Peer;

    use super::*;

    fn peer(number: u32) -> PeerKey {
        let [_, a, b, c] = number.to_be_bytes();
        Peer([10, a, b, c].into()).key()
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_makes_some_accounts_and_then_few() {
        let registrations = Registrations::new(NonZeroU32::new(10).expect("is not zero"));
        let made = (0..30).filter(|_| registrations.count(peer(1)).is_ok()).count();
        assert_eq!(made, 10);
        let refused = registrations.count(peer(1)).expect_err("are too many");
        assert_eq!(refused.again_in, PERIOD / 10);
        registrations.count(peer(2)).expect("another peer may");
        tokio::time::advance(PERIOD / 10).await;
        assert_eq!((0..30).filter(|_| registrations.count(peer(1)).is_ok()).count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn many_peers_make_no_more() {
        let registrations = Registrations::new(NonZeroU32::new(10).expect("is not zero"));
        assert_eq!((0..10_000).filter(|number| registrations.count(peer(*number)).is_ok()).count(), 100);
        assert!(registrations.table.lock().expect("not poisoned").peers.len() <= 100);
        tokio::time::advance(Duration::from_hours(2)).await;
        registrations.count(peer(1)).expect("is let through");
        assert_eq!(registrations.table.lock().expect("not poisoned").peers.len(), 1);
    }
}
