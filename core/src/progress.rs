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
    ///
    /// A plugin that returns in the very moment of this call may be followed by one more call of its round; a hook
    /// reaches a plugin at least once, not exactly once.
    pub fn abandon(&self, index: usize) -> bool {
        self.0.compare_exchange(index, ABANDONED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Notes that the plugin at `index` is called next; `false` when the round was abandoned.
    pub(crate) fn enter(&self, index: usize) -> bool {
        if self.0.load(Ordering::Relaxed) == ABANDONED {
            return false;
        }
        self.0.store(index, Ordering::Release);
        true
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
