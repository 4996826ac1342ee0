//! Who has just asked for a job, and so may follow its log without showing a token again.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use racetrack_service::peer::Peer;

use super::Credential;

/// For how long a request counts: the client of the command line follows right after it.
const VALIDITY: Duration = Duration::from_secs(10);

/// How many requests are remembered; of more, the oldest are forgotten.
const CAPACITY: usize = 4096;

/// How many of these may be of one address.
const CAPACITY_OF_PEER: usize = 64;

/// The requests for jobs of the last seconds, each of which lets one client in.
#[derive(Debug, Default)]
pub(crate) struct RecentReaders(Mutex<VecDeque<Request>>);

#[derive(Debug)]
struct Request {
    time: Instant,
    peer: Peer,
    name: String,
    version: String,
    credential: Credential,
}

impl RecentReaders {
    /// Remembers that somebody at this address has shown a credential that may read a version of a job.
    pub(crate) fn remember(&self, peer: Peer, name: &str, version: &str, credential: Credential) {
        self.remember_at(Instant::now(), peer, (name, version), credential);
    }

    /// What was shown in a request for this version of the job from this address, which counts no more from now on.
    pub(crate) fn take(&self, peer: Peer, name: &str, version: &str) -> Option<Credential> {
        self.take_at(Instant::now(), peer, (name, version))
    }

    fn remember_at(&self, time: Instant, peer: Peer, (name, version): (&str, &str), credential: Credential) {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forget_old(&mut requests, time);
        // Nobody makes what others have asked for be forgotten.
        let of_peer = requests.iter().filter(|request| request.peer == peer).count();
        if of_peer >= CAPACITY_OF_PEER
            && let Some(oldest) = requests.iter().position(|request| request.peer == peer)
        {
            requests.remove(oldest);
        } else if requests.len() == CAPACITY {
            requests.pop_front();
        }
        let (name, version) = (name.to_owned(), version.to_owned());
        requests.push_back(Request { time, peer, name, version, credential });
    }

    fn take_at(&self, now: Instant, peer: Peer, (name, version): (&str, &str)) -> Option<Credential> {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        forget_old(&mut requests, now);
        let is_it = |request: &Request| {
            (request.peer, request.name.as_str(), request.version.as_str()) == (peer, name, version)
        };
        let position = requests.iter().position(is_it)?;
        requests.remove(position).map(|request| request.credential)
    }
}

fn forget_old(requests: &mut VecDeque<Request>, now: Instant) {
    while requests.front().is_some_and(|request| now.duration_since(request.time) >= VALIDITY) {
        requests.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const HERE: Peer = Peer(IpAddr::V4(Ipv4Addr::LOCALHOST));
    const THERE: Peer = Peer(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7)));
    const ADDER: (&str, &str) = ("adder", "1.0.0");

    #[test]
    fn a_request_lets_in_once_from_its_address_for_its_job() {
        let (readers, now) = (RecentReaders::default(), Instant::now());
        let [first, second] = ["a", "b"].map(Credential::of_token);
        readers.remember_at(now, HERE, ADDER, first.clone());
        readers.remember_at(now, HERE, ADDER, second.clone());
        for (peer, job) in [(THERE, ADDER), (HERE, ("adder", "2.0.0")), (HERE, ("primer", "1.0.0"))] {
            assert_eq!(readers.take_at(now, peer, job), None, "{peer:?} {job:?}");
        }
        assert_eq!(readers.take_at(now, HERE, ADDER), Some(first));
        assert_eq!(readers.take_at(now, HERE, ADDER), Some(second));
        assert_eq!(readers.take_at(now, HERE, ADDER), None);
    }

    #[test]
    fn a_request_counts_for_ten_seconds() {
        let (readers, now) = (RecentReaders::default(), Instant::now());
        for _ in 0..2 {
            readers.remember_at(now, HERE, ADDER, Credential::of_token("a"));
        }
        assert!(readers.take_at(now + Duration::from_millis(9999), HERE, ADDER).is_some());
        assert_eq!(readers.take_at(now + VALIDITY, HERE, ADDER), None);
    }

    #[test]
    fn no_more_requests_are_remembered_than_fit() {
        let (readers, now) = (RecentReaders::default(), Instant::now());
        readers.remember_at(now, THERE, ADDER, Credential::of_token("a"));
        for _ in 0..CAPACITY {
            readers.remember_at(now, HERE, ADDER, Credential::of_token("b"));
        }
        // However many come from one address, what was asked from another counts.
        assert_eq!(readers.0.lock().expect("not poisoned").len(), CAPACITY_OF_PEER + 1);
        assert!(readers.take_at(now, THERE, ADDER).is_some());
        for number in 0..=u32::try_from(CAPACITY).expect("fits") {
            let peer = Peer(IpAddr::V4(Ipv4Addr::from_bits(number)));
            readers.remember_at(now, peer, ADDER, Credential::of_token("c"));
        }
        assert_eq!(readers.0.lock().expect("not poisoned").len(), CAPACITY);
        assert_eq!(readers.take_at(now, HERE, ADDER), None);
    }
}
