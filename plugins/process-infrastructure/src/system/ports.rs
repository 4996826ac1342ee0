//! Ports for replicas.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::system::random::random;

/// The ports that a target may give to replicas. A port is a replica's until it is given back.
#[derive(Debug)]
pub(crate) struct Ports {
    first: u16,
    last: u16,
    taken: Mutex<BTreeSet<u16>>,
}

/// Every port of the range is in use.
#[derive(Debug, thiserror::Error)]
#[error("no port from {first} to {last} is free")]
pub(crate) struct NoFreePort {
    first: u16,
    last: u16,
}

impl Ports {
    /// The ports from `first` to `last`.
    pub(crate) const fn new(first: u16, last: u16) -> Self {
        Self { first, last, taken: Mutex::new(BTreeSet::new()) }
    }

    /// A port on which nobody listens. The search begins anywhere, so that programs which search the same range seldom
    /// meet.
    pub(crate) fn take(&self) -> Result<u16, NoFreePort> {
        let mut taken = self.taken();
        let count = u32::from(self.last - self.first) + 1;
        let start = u32::from_ne_bytes(random()) % count;
        let candidates = (0..count).map(|step| u32::from(self.first) + (start + step) % count);
        let mut candidates = candidates.filter_map(|port| u16::try_from(port).ok());
        let port = candidates.find(|port| !taken.contains(port) && is_free(*port));
        let port = port.ok_or(NoFreePort { first: self.first, last: self.last })?;
        taken.insert(port);
        Ok(port)
    }

    /// Marks a port that a replica already has.
    pub(crate) fn claim(&self, port: u16) {
        self.taken().insert(port);
    }

    /// Gives a port back.
    pub(crate) fn give_back(&self, port: u16) {
        self.taken().remove(&port);
    }

    fn taken(&self) -> MutexGuard<'_, BTreeSet<u16>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether nobody listens on the port, on any address.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let used = listener.local_addr().unwrap().port();
        assert_eq!(
            Ports::new(used, used).take().unwrap_err().to_string(),
            format!("no port from {used} to {used} is free")
        );
        drop(listener);
        let ports = Ports::new(used, used);
        assert_eq!(ports.take().unwrap(), used);
        assert!(ports.take().is_err());
        ports.give_back(used);
        assert_eq!(ports.take().unwrap(), used);
    }
}
