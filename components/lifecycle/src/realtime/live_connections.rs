//! How many clients may stay connected to hear what happens: those of change events, and sessions of live logs.
//!
//! A client has a place from its first request on. A session of Socket.IO keeps the head of that request, and the place
//! with it, so the place is free when the session has ended, whatever it ended by.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::Limited;
use racetrack_service::ApiError;
use racetrack_service::peer::PeerKey;

/// The largest body of a request, in bytes. Clients subscribe and acknowledge, and have little to say.
const MAX_BODY_SIZE: usize = 64 << 10;

/// When a client that found no place may come again.
const AGAIN_IN: Duration = Duration::from_secs(5);

/// How many clients there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LiveConnectionLimits {
    pub(crate) all: usize,
    pub(crate) of_peer: usize,
}

/// The clients that are connected. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct LiveConnections(Arc<Shared>);

/// The place of a client. It is free again when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct LiveConnection(#[expect(dead_code, reason = "is there to be dropped")] Arc<Place>);

#[derive(Debug)]
struct Shared {
    limits: LiveConnectionLimits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    peers: HashMap<PeerKey, usize>,
}

#[derive(Debug)]
struct Place {
    all: LiveConnections,
    peer: PeerKey,
}

impl LiveConnections {
    pub(crate) fn new(limits: LiveConnectionLimits) -> Self {
        Self(Arc::new(Shared { limits, counts: Mutex::default() }))
    }

    /// Gives a client its place.
    fn enter(&self, peer: PeerKey) -> Result<LiveConnection, ApiError> {
        let mut counts = self.counts();
        let refused = |status, message: &str| {
            Err(ApiError::new(status, "TooManyConnections", message).retry_after(AGAIN_IN))
        };
        if counts.all >= self.0.limits.all {
            return refused(StatusCode::SERVICE_UNAVAILABLE, "as many clients are connected as may be");
        }
        let of_peer = counts.peers.get(&peer).copied().unwrap_or(0);
        if of_peer >= self.0.limits.of_peer && !peer.is_shared() {
            return refused(StatusCode::TOO_MANY_REQUESTS, "too many clients of this address are connected");
        }
        counts.all += 1;
        counts.peers.insert(peer, of_peer + 1);
        drop(counts);
        Ok(LiveConnection(Arc::new(Place { all: self.clone(), peer })))
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.all.counts();
        counts.all -= 1;
        if let Some(of_peer) = counts.peers.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                counts.peers.remove(&self.peer);
            }
        }
    }
}

/// Gives a client its place, or refuses its request.
pub(crate) async fn admit(State(all): State<LiveConnections>, mut request: Request, next: Next) -> Response {
    match all.enter(PeerKey::of(request.extensions())) {
        Ok(connection) => request.extensions_mut().insert(connection),
        Err(error) => return error.into_response(),
    };
    next.run(request).await
}

/// The same for a client of Socket.IO, of which there are several requests: those of a session that there is have a place
/// already.
pub(crate) async fn admit_session(all: State<LiveConnections>, request: Request, next: Next) -> Response {
    let request = request.map(|body| Body::new(Limited::new(body, MAX_BODY_SIZE)));
    let mut parameters = request.uri().query().unwrap_or_default().split('&');
    if parameters.any(|parameter| parameter.starts_with("sid=")) {
        return next.run(request).await;
    }
    admit(all, request, next).await
}

#[cfg(test)]
mod tests {
    use racetrack_service::peer::Peer;

    use super::*;

    fn peer(address: [u8; 4]) -> PeerKey {
        Peer(address.into()).key()
    }

    #[test]
    fn places_are_limited_and_get_free() {
        let all = LiveConnections::new(LiveConnectionLimits { all: 4, of_peer: 2 });
        let text = |refused: Result<LiveConnection, ApiError>| refused.expect_err("is refused").to_string();
        let first = all.enter(peer([192, 0, 2, 1])).expect("there is a place");
        let same = first.clone();
        let _second = all.enter(peer([192, 0, 2, 1])).expect("there is a place");
        assert_eq!(text(all.enter(peer([192, 0, 2, 1]))), "too many clients of this address are connected");
        let local: Vec<_> = (0..2).map(|_| all.enter(peer([127, 0, 0, 1]))).collect();
        assert!(local.iter().all(Result::is_ok));
        assert_eq!(text(all.enter(peer([127, 0, 0, 1]))), "as many clients are connected as may be");
        drop(first);
        assert!(all.enter(peer([192, 0, 2, 2])).is_err(), "the same one is there");
        drop(same);
        drop(all.enter(peer([192, 0, 2, 1])).expect("there is a place"));
        drop(local);
        assert_eq!(all.counts().peers.len(), 1, "nothing is kept of who has gone");
    }
}
