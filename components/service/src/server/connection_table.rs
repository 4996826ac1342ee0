//! What is noted of each connection, and in which order those that wait are closed.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::ending::Ending;
use super::waiting::{Wait, Waiting, WaitingConnections};
use crate::metrics;
use crate::peer::PeerKey;

/// Every connection, in the order in which those that wait are closed.
#[derive(Debug, Default)]
pub(super) struct Table {
    next_id: u64,
    pub(super) entries: HashMap<u64, Entry>,
    pub(super) waiting: WaitingConnections,
    pub(super) peers: HashMap<PeerKey, OfPeer>,
    pub(super) is_stopping: bool,
}

/// The connections of one peer.
#[derive(Debug, Default)]
pub(super) struct OfPeer {
    pub(super) count: usize,
    pub(super) waiting: WaitingConnections,
}

/// What is noted of one connection.
#[derive(Debug)]
pub(super) struct Entry {
    /// Nothing for a peer that may have any number.
    pub(super) peer: Option<PeerKey>,
    pub(super) stage: Stage,
    /// Since when the body of the request is awaited.
    pub(super) body_since: Option<Instant>,
    /// Since when the client takes nothing of what is sent.
    pub(super) sending_since: Option<Instant>,
    waiting: Option<Waiting>,
    pub(super) ending: Arc<Ending>,
}

/// Where a connection is, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Head(Instant),
    Next(Instant),
    /// The request is being answered, or the connection has become a tunnel.
    Busy,
}

impl Table {
    /// Notes a newcomer, of which the head of a request is awaited.
    pub(super) fn insert(&mut self, peer: Option<PeerKey>, now: Instant) -> (u64, Arc<Ending>) {
        let id = self.next_id;
        self.next_id += 1;
        if let Some(peer) = peer {
            self.peers.entry(peer).or_default().count += 1;
        }
        let ending = Arc::new(Ending::default());
        let entry = Entry {
            peer,
            stage: Stage::Head(now),
            body_since: None,
            sending_since: None,
            waiting: None,
            ending: Arc::clone(&ending),
        };
        self.entries.insert(id, entry);
        self.change(id, |_| {});
        metrics::connections_open(self.entries.len());
        (id, ending)
    }

    /// Changes a connection, and keeps the order of those that wait.
    pub(super) fn change(&mut self, id: u64, change: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        change(entry);
        let waiting = entry.waits_for().map(|(wait, since)| Waiting { wait, since, id });
        let (before, peer) = (std::mem::replace(&mut entry.waiting, waiting), entry.peer);
        if before == waiting {
            return;
        }
        let of_peer = peer.and_then(|peer| self.peers.get_mut(&peer)).map(|peer| &mut peer.waiting);
        for ordered in [Some(&mut self.waiting), of_peer].into_iter().flatten() {
            if let Some(before) = &before {
                ordered.remove(before);
            }
            if let Some(waiting) = waiting {
                ordered.insert(waiting);
            }
        }
    }

    /// Forgets a connection that has ended.
    pub(super) fn remove(&mut self, id: u64) {
        // So that it is in no order any more.
        self.change(id, |entry| {
            (entry.stage, entry.body_since, entry.sending_since) = (Stage::Busy, None, None);
        });
        let Some(entry) = self.entries.remove(&id) else { return };
        if let Some(peer) = entry.peer
            && let Some(of_peer) = self.peers.get_mut(&peer)
        {
            of_peer.count -= 1;
            if of_peer.count == 0 {
                self.peers.remove(&peer);
            }
        }
        metrics::connections_open(self.entries.len());
    }

    /// Ends a connection. It is removed when its task has seen that.
    pub(super) fn close(&mut self, id: u64) {
        self.change(id, |entry| {
            (entry.stage, entry.body_since, entry.sending_since) = (Stage::Busy, None, None);
        });
        if let Some(entry) = self.entries.get(&id) {
            entry.ending.close();
        }
    }

    /// Ends the wait for the body of a request, so that whoever wants it can say so to the client.
    pub(super) fn stall(&mut self, id: u64, now: Instant) -> bool {
        let Some(entry) = self.entries.get(&id) else { return false };
        if entry.body_since.is_none() || entry.sending_since.is_some() || !entry.ending.stall() {
            return false;
        }
        // A client that takes no answer either is closed after the same time again.
        self.change(id, |entry| entry.body_since = Some(now));
        true
    }
}

impl Entry {
    pub(super) fn set_stage(&mut self, stage: Stage) {
        self.ending.set_between_requests(matches!(stage, Stage::Next(_)));
        self.stage = stage;
    }

    fn waits_for(&self) -> Option<(Wait, Instant)> {
        let transfer = self.sending_since.or(self.body_since).map(|since| (Wait::Transfer, since));
        transfer.or(match self.stage {
            Stage::Head(since) => Some((Wait::Head, since)),
            Stage::Next(since) => Some((Wait::Next, since)),
            Stage::Busy => None,
        })
    }
}
