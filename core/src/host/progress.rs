//! Where a round of hook calls is, for those who watch it from another thread.

use std::sync::atomic::{AtomicUsize, Ordering};

const NOT_STARTED: usize = usize::MAX;
const ABANDONED: usize = usize::MAX - 1;

/// The place of a round of hook calls: which plugin is being called.
///
/// A hook that blocks its thread cannot be ended by a timer on that thread. Whoever runs a round on a thread of its own
/// watches its progress, and [abandons](Self::abandon) the round when it stands still.
#[derive(Debug)]
pub struct Progress(AtomicUsize);

impl Default for Progress {
    fn default() -> Self {
        Self(AtomicUsize::new(NOT_STARTED))
    }
}

impl Progress {
    /// The index of the plugin that is being called, in the order of the hook's plugins; `None` before the first.
    pub fn current(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Acquire)).filter(|index| *index < ABANDONED)
    }

    /// Tells the round not to call any further plugin, if it still is at `index`. Returns whether it was.
    pub fn abandon(&self, index: usize) -> bool {
        self.0.compare_exchange(index, ABANDONED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Notes that the plugin at `index` is called next; `false` when the round was abandoned.
    ///
    /// An atomic exchange, because a round that is abandoned in this very moment must not go on: whoever abandoned it
    /// calls the rest of the plugins in another round.
    pub(crate) fn enter(&self, index: usize) -> bool {
        let previous = self.0.load(Ordering::Relaxed);
        previous != ABANDONED
            && self.0.compare_exchange(previous, index, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abandoned_round_goes_no_further() {
        let progress = Progress::default();
        assert_eq!(progress.current(), None);
        assert!(progress.enter(0) && progress.enter(1));
        assert_eq!(progress.current(), Some(1));
        assert!(!progress.abandon(0), "the round has moved on");
        assert!(progress.abandon(1));
        assert_eq!(progress.current(), None);
        assert!(!progress.enter(2));
    }
}
