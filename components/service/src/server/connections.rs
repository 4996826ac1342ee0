//! The connections that there are: how many, what each waits for, and which is closed first when there are too many.
//!
//! A connection waits for its client in one of three ways, see [`Wait`]. Each has a time limit. When a newcomer finds all
//! places taken, the connection that has waited longest in the first of these ways is closed for it; one that is being
//! answered never is.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderMap;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::connection_table::{Entry, Stage, Table};
use super::ending::Ending;
use super::waiting::{Lag, Wait};
use crate::connection_limits::ConnectionLimits;
use crate::metrics;
use crate::peer::{Peer, PeerKey, TrustedProxies};

/// How long the head of a request may take when the server stops.
const LAST_HEAD_TIME: Duration = Duration::from_secs(1);

/// Every connection of a server. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Connections(Arc<Shared>);

/// The place of a connection that was let in. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Connection>);

/// What is noted of a connection while it goes on.
#[derive(Debug)]
pub(super) struct Connection {
    all: Connections,
    id: u64,
    pub(super) ending: Arc<Ending>,
}

/// Why a newcomer is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// There are as many connections as there may be.
    Full,
    /// This peer has as many as it may have.
    PeerIsFull,
}

#[derive(Debug)]
struct Shared {
    limits: ConnectionLimits,
    proxies: TrustedProxies,
    table: Mutex<Table>,
    freed: Notify,
}

impl Connections {
    pub(super) fn new(limits: ConnectionLimits, proxies: TrustedProxies) -> Self {
        Self(Arc::new(Shared { limits, proxies, table: Mutex::default(), freed: Notify::new() }))
    }

    /// Lets a newcomer in, at the cost of a connection that waits if need be.
    pub(super) async fn admit(&self, address: IpAddr) -> Result<Place, Refusal> {
        /// How soon another one is closed; a connection that was closed is usually gone at once.
        const PATIENCE: Duration = Duration::from_millis(100);
        loop {
            let refusal = match self.try_admit(address, Instant::now()) {
                Ok(place) => return Ok(place),
                Err(refusal) => refusal,
            };
            if !self.make_room(address, refusal, Instant::now()) {
                metrics::connection_closed("refused");
                return Err(refusal);
            }
            if let Ok(place) = tokio::time::timeout(PATIENCE, self.freed_place(address)).await {
                return Ok(place);
            }
        }
    }

    /// Waits for a place. A notice may be of one that has been taken since, and nobody is closed for that.
    async fn freed_place(&self, address: IpAddr) -> Place {
        loop {
            self.0.freed.notified().await;
            if let Ok(place) = self.try_admit(address, Instant::now()) {
                return place;
            }
        }
    }

    fn try_admit(&self, address: IpAddr, now: Instant) -> Result<Place, Refusal> {
        let peer = self.counted_peer(address);
        let mut table = self.table();
        if let Some(peer) = peer {
            let of_peer = table.peers.get(&peer).map_or(0, |peer| peer.count);
            if of_peer >= self.0.limits.connections_per_peer {
                return Err(Refusal::PeerIsFull);
            }
        }
        if table.entries.len() >= self.0.limits.connections {
            return Err(Refusal::Full);
        }
        let (id, ending) = table.insert(peer, now);
        Ok(Place(Arc::new(Connection { all: self.clone(), id, ending })))
    }

    /// Closes one connection for a newcomer, if there is one that may be; tells whether a place gets free.
    fn make_room(&self, address: IpAddr, refusal: Refusal, now: Instant) -> bool {
        let peer = self.counted_peer(address);
        let mut table = self.table();
        let of_peer = || peer.and_then(|peer| table.peers.get(&peer));
        let (waiting, is_full) = match refusal {
            Refusal::Full => (Some(&table.waiting), table.entries.len() >= self.0.limits.connections),
            Refusal::PeerIsFull => {
                let count = of_peer().map_or(0, |peer| peer.count);
                (of_peer().map(|peer| &peer.waiting), count >= self.0.limits.connections_per_peer)
            }
        };
        match waiting.and_then(|waiting| waiting.first_to_go(now)) {
            // A place may have got free meanwhile.
            _ if !is_full => true,
            None => false,
            Some(id) => {
                table.close(id);
                metrics::connection_closed("replaced");
                true
            }
        }
    }

    /// Closes the connection that has waited longest, where the system has no descriptor for a newcomer.
    pub(super) fn give_way(&self) {
        let mut table = self.table();
        if let Some(id) = table.waiting.first_to_go(Instant::now()) {
            table.close(id);
            metrics::connection_closed("replaced");
        }
    }

    /// Closes what has waited for longer than it may.
    pub(super) fn close_expired(&self, now: Instant) {
        let mut table = self.table();
        let limits = &self.0.limits;
        let head = if table.is_stopping {
            limits.request_head_time.min(LAST_HEAD_TIME)
        } else {
            limits.request_head_time
        };
        let each = [
            (Wait::Head, head, "request-head-time"),
            (Wait::Next, limits.idle_connection_time, "idle-connection-time"),
            (Wait::Transfer, limits.stalled_transfer_time, "stalled-transfer-time"),
        ];
        for (wait, limit, reason) in each {
            while let Some(id) = table.waiting.expired(wait, limit, now) {
                if !table.stall(id, now) {
                    table.close(id);
                }
                metrics::connection_closed(reason);
            }
        }
    }

    /// How often [`close_expired`](Self::close_expired) is to be called.
    pub(super) fn period(&self) -> Duration {
        let limits = &self.0.limits;
        let shortest =
            limits.request_head_time.min(limits.idle_connection_time).min(limits.stalled_transfer_time);
        (shortest / 8).clamp(Duration::from_millis(10), Duration::from_millis(500))
    }

    /// From now on heads of requests get little time.
    pub(super) fn stop(&self) {
        self.table().is_stopping = true;
    }

    /// What an address counts as, unless many users may stand behind it.
    fn counted_peer(&self, address: IpAddr) -> Option<PeerKey> {
        let key = Peer(address).key();
        (!key.is_shared() && !self.0.proxies.have(address)).then_some(key)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// What is noted of the connection.
    pub(super) const fn connection(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.all.table().remove(self.0.id);
        self.0.all.0.freed.notify_one();
    }
}

impl Connection {
    /// The head of a request is complete, and the request is being answered.
    pub(super) fn begins_request(&self) {
        self.change(|entry| {
            entry.ending.forget_stall();
            entry.set_stage(Stage::Busy);
        });
    }

    /// The connection speaks another protocol from now on, with limits of its own.
    pub(super) fn is_busy(&self) {
        self.change(|entry| entry.set_stage(Stage::Busy));
    }

    /// The request is answered.
    pub(super) fn has_answered(&self) {
        self.change(|entry| entry.set_stage(Stage::Next(Instant::now())));
    }

    /// Another request has begun to arrive, if the former one is answered.
    pub(super) fn has_received(&self) {
        // While a request is under way, nothing is locked for each read.
        if self.ending.is_between_requests() {
            self.change(|entry| {
                if matches!(entry.stage, Stage::Next(_)) {
                    entry.set_stage(Stage::Head(Instant::now()));
                }
            });
        }
    }

    /// Whoever sent a request with these headers.
    pub(super) fn peer(&self, address: IpAddr, headers: &HeaderMap) -> Peer {
        self.all.0.proxies.peer(address, headers)
    }

    /// How far the body of a new request is behind.
    pub(super) fn lag(&self) -> Lag {
        Lag::new(self.all.0.limits.stalled_transfer_time)
    }

    /// The body of the request counts as awaited since then, or is not awaited any more.
    pub(super) fn awaits_body(&self, since: Option<Instant>) {
        self.change(|entry| entry.body_since = since);
    }

    /// The client takes nothing of what is sent, or takes some again.
    pub(super) fn awaits_reader(&self, does: bool) {
        self.change(|entry| {
            entry.sending_since = does.then(|| entry.sending_since.unwrap_or_else(Instant::now));
        });
    }

    fn change(&self, change: impl FnOnce(&mut Entry)) {
        self.all.table().change(self.id, change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(connections: usize, connections_per_peer: usize) -> Connections {
        let limits = ConnectionLimits { connections, connections_per_peer, ..ConnectionLimits::default() };
        Connections::new(limits, "10.0.0.0/8".parse().expect("valid"))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// Ends connections as their tasks do when they see that they have to.
    fn is_closed(place: &Place) -> bool {
        let waker = std::task::Waker::noop();
        place.connection().ending.ends_reading(&std::task::Context::from_waker(waker))
    }

    #[tokio::test]
    async fn a_peer_has_so_many_and_takes_no_place_of_others() {
        let all = connections(100, 2);
        let other = all.admit(address("192.0.2.2")).await.expect("is let in");
        let first = all.admit(address("192.0.2.1")).await.expect("is let in");
        let second = all.admit(address("192.0.2.1")).await.expect("is let in");
        second.connection().is_busy();
        let third = {
            let all = all.clone();
            tokio::spawn(async move { all.admit(address("192.0.2.1")).await })
        };
        while !is_closed(&first) {
            tokio::task::yield_now().await;
        }
        drop(first);
        let third = third.await.expect("does not panic").expect("is let in");
        third.connection().is_busy();
        let refused = all.admit(address("192.0.2.1")).await.expect_err("both are being answered");
        assert_eq!(refused, Refusal::PeerIsFull);
        assert!(!is_closed(&other) && !is_closed(&second));
        for shared in ["127.0.0.1", "::1", "10.9.8.7", "::ffff:10.9.8.7"] {
            let places: Vec<_> =
                futures_util::future::join_all((0..5).map(|_| all.admit(address(shared)))).await;
            assert!(places.iter().all(Result::is_ok), "{shared} stands for many");
        }
    }

    #[tokio::test]
    async fn nothing_is_kept_of_what_has_ended() {
        let all = connections(10, 10);
        for _ in 0..100 {
            let place = all.admit(address("192.0.2.1")).await.expect("is let in");
            place.connection().is_busy();
            place.connection().awaits_body(Some(Instant::now()));
            place.connection().awaits_reader(true);
            place.connection().has_answered();
        }
        let table = all.table();
        assert!(table.entries.is_empty() && table.peers.is_empty());
        assert_eq!(table.waiting.first_to_go(Instant::now() + Duration::from_hours(1)), None);
    }

    #[tokio::test]
    async fn a_transfer_is_ended_for_others_only_when_it_stalls() {
        let all = connections(1, 1);
        let place = all.admit(address("192.0.2.1")).await.expect("is let in");
        place.connection().is_busy();
        place.connection().awaits_body(Some(Instant::now()));
        assert!(!all.make_room(address("192.0.2.2"), Refusal::Full, Instant::now()));
        assert!(all.make_room(address("192.0.2.2"), Refusal::Full, Instant::now() + Duration::from_secs(10)));
        assert!(is_closed(&place));
    }

    #[tokio::test]
    async fn a_newcomer_takes_one_place() {
        let all = connections(2, 2);
        // Nobody waited for this place.
        drop(all.admit(address("192.0.2.1")).await.expect("is let in"));
        let first = all.admit(address("192.0.2.1")).await.expect("is let in");
        let second = all.admit(address("192.0.2.2")).await.expect("is let in");
        let newcomer = {
            let all = all.clone();
            tokio::spawn(async move { all.admit(address("192.0.2.3")).await })
        };
        while !is_closed(&first) {
            tokio::task::yield_now().await;
        }
        // All that could have gone wrong by now has; only after a while is another one closed.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(!is_closed(&second));
        drop(first);
        newcomer.await.expect("does not panic").expect("is let in");
    }

    #[tokio::test]
    async fn another_request_has_another_body() {
        let all = connections(1, 1);
        let place = all.admit(address("192.0.2.1")).await.expect("is let in");
        let (connection, waker) = (place.connection(), std::task::Waker::noop());
        let gives_up = || connection.ending.gives_up_body(&std::task::Context::from_waker(waker));
        connection.begins_request();
        connection.awaits_body(Some(Instant::now()));
        all.close_expired(Instant::now() + Duration::from_hours(1));
        assert!(gives_up() && !is_closed(&place));
        connection.awaits_body(None);
        connection.has_answered();
        connection.has_received();
        connection.begins_request();
        assert!(!gives_up());
    }
}
