//! Whose turn it is.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::upstream::Upstream;

/// The number of counters. Jobs that happen to share one still reach all of their replicas, in a less even order.
const COUNTERS: usize = 256;

/// Turns of replicas, for any number of jobs in a fixed space and without a lock.
#[derive(Debug)]
pub(super) struct Rotation {
    hasher: RandomState,
    counters: [AtomicUsize; COUNTERS],
}

impl Rotation {
    /// The index of the replica whose turn it is; 0 if there is none.
    pub(super) fn next(&self, upstream: &Upstream<'_>) -> usize {
        let count = upstream.replicas.len();
        if count < 2 {
            return 0;
        }
        let hash = self.hasher.hash_one((upstream.job_name, upstream.job_version));
        let counter = usize::try_from(hash % COUNTERS as u64).expect("is less than the number of counters");
        self.counters[counter].fetch_add(1, Ordering::Relaxed) % count
    }
}

impl Default for Rotation {
    fn default() -> Self {
        Self { hasher: RandomState::new(), counters: [const { AtomicUsize::new(0) }; COUNTERS] }
    }
}
