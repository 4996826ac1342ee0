//! How many calls of jobs each caller may have under way, so that one of them cannot take all connections.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::StatusCode;
use hyper::body::{Frame, SizeHint};
use racetrack_service::ApiError;
use racetrack_service::peer::PeerKey;

/// When a caller that has too many may come again.
const AGAIN_IN: Duration = Duration::from_secs(1);

/// How many calls one caller may have under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallLimits {
    /// Of all kinds.
    pub(crate) calls: usize,
    /// Of those that are tunnels.
    pub(crate) tunnels: usize,
}

/// Who calls, as calls are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum CallerKey {
    /// Somebody known: `User admin`.
    Known(String),
    /// Whoever is there.
    Peer(PeerKey),
}

/// The calls under way. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct CallPlaces(Arc<Shared>);

/// The place of a call, which is free again when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct CallPlace(Option<Arc<Place>>);

#[derive(Debug)]
struct Shared {
    limits: CallLimits,
    callers: Mutex<HashMap<CallerKey, Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    calls: usize,
    tunnels: usize,
}

#[derive(Debug)]
struct Place {
    all: CallPlaces,
    caller: CallerKey,
    is_tunnel: bool,
}

/// The body of an answer, with the place of its call.
struct PlacedBody {
    body: Body,
    _place: CallPlace,
}

impl CallPlaces {
    pub(crate) fn new(limits: CallLimits) -> Self {
        Self(Arc::new(Shared { limits, callers: Mutex::default() }))
    }

    /// Gives a call its place. Of unknown callers at addresses that many may share, none is counted.
    ///
    /// # Errors
    /// 429 when the caller has as many already as one may have.
    pub(crate) fn enter(&self, caller: CallerKey, is_tunnel: bool) -> Result<CallPlace, ApiError> {
        if matches!(caller, CallerKey::Peer(peer) if peer.is_shared()) {
            return Ok(CallPlace(None));
        }
        let CallLimits { calls, tunnels } = self.0.limits;
        let mut callers = self.callers();
        let counts = callers.entry(caller.clone()).or_default();
        let (is_full, what, limit, setting) =
            match (counts.calls >= calls, is_tunnel && counts.tunnels >= tunnels) {
                (true, _) => (true, "calls", calls, "max-calls-per-caller"),
                (_, is_full) => (is_full, "WebSockets to jobs", tunnels, "max-tunnels-per-caller"),
            };
        if is_full {
            let message = format!("{limit} {what} of this caller are under way, as many as {setting} allows");
            let refused = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "TooManyCalls", message);
            return Err(refused.retry_after(AGAIN_IN));
        }
        counts.calls += 1;
        counts.tunnels += usize::from(is_tunnel);
        drop(callers);
        Ok(CallPlace(Some(Arc::new(Place { all: self.clone(), caller, is_tunnel }))))
    }

    fn callers(&self) -> MutexGuard<'_, HashMap<CallerKey, Counts>> {
        self.0.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallPlace {
    /// The body, at whose end the place is free.
    pub(crate) fn hold_for(self, body: Body) -> Body {
        if self.0.is_none() { body } else { Body::new(PlacedBody { body, _place: self }) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut callers = self.all.callers();
        if let Entry::Occupied(mut entry) = callers.entry(self.caller.clone()) {
            let counts = entry.get_mut();
            counts.calls -= 1;
            counts.tunnels -= usize::from(self.is_tunnel);
            if counts.calls == 0 {
                entry.remove();
            }
        }
    }
}

impl HttpBody for PlacedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use racetrack_service::peer::Peer;

    use super::*;

    fn places() -> CallPlaces {
        CallPlaces::new(CallLimits { calls: 3, tunnels: 1 })
    }

    fn user(name: &str) -> CallerKey {
        CallerKey::Known(name.to_owned())
    }

    #[test]
    fn each_caller_has_so_many_calls_and_tunnels() {
        let places = places();
        let refused = |place: Result<CallPlace, ApiError>| place.expect_err("is refused").to_string();
        let tunnel = places.enter(user("bob"), true).expect("there is a place");
        assert!(refused(places.enter(user("bob"), true)).contains("max-tunnels-per-caller"));
        let calls: Vec<_> =
            (0..2).map(|_| places.enter(user("bob"), false).expect("there is a place")).collect();
        assert!(refused(places.enter(user("bob"), false)).contains("max-calls-per-caller"));
        places.enter(user("alice"), true).expect("others have places of their own");
        drop(calls);
        let body = tunnel.clone().hold_for(Body::empty());
        drop(tunnel);
        assert!(places.enter(user("bob"), true).is_err(), "the body holds it");
        drop(body);
        places.enter(user("bob"), true).expect("there is a place again");
        assert!(places.callers().is_empty(), "nothing is kept of who has gone");
    }

    #[test]
    fn unknown_callers_count_by_address_unless_it_is_shared() {
        let places = places();
        let peer = |address: [u8; 4]| CallerKey::Peer(Peer(address.into()).key());
        let held: Vec<_> = (0..9).map(|_| places.enter(peer([127, 0, 0, 1]), true)).collect();
        assert!(held.iter().all(Result::is_ok));
        let _one = places.enter(peer([192, 0, 2, 1]), true).expect("there is a place");
        assert!(places.enter(peer([192, 0, 2, 1]), true).is_err());
        places.enter(peer([192, 0, 2, 2]), true).expect("another address");
    }
}
