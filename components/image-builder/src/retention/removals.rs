//! What a removal has come to.

use serde::Serialize;

use crate::folder::removal::RemovalCounts;

/// What was removed, and what is left.
#[derive(Debug, Serialize)]
pub(crate) struct Removals {
    pub(crate) images: RemovalCounts,
    pub(crate) build_logs: RemovalCounts,
    pub(crate) cache_entries: RemovalCounts,
    pub(crate) kept: RemainingImages,
}

/// The images that are left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RemainingImages {
    pub(crate) images: u64,
    /// Without those of nobody.
    pub(crate) bytes: u64,
    /// Of those, the ones that stay for ever because it is not known who may need them.
    pub(crate) images_of_nobody: u64,
}

impl Removals {
    /// What was removed, by its kind.
    pub(super) fn parts(&self) -> [(&'static str, RemovalCounts); 3] {
        [("image", self.images), ("build_log", self.build_logs), ("cache_entry", self.cache_entries)]
    }

    /// Logs what was removed.
    pub(crate) fn log(&self) {
        let Self { images, build_logs, cache_entries, kept } = self;
        let bytes: u64 = self.parts().iter().map(|(_, removed)| removed.bytes).sum();
        let failures: u64 = self.parts().iter().map(|(_, removed)| removed.failures).sum();
        let is_worth_reporting = self.parts().iter().any(|(_, removed)| *removed != RemovalCounts::default());
        let (kept, kept_bytes, of_nobody) = (kept.images, kept.bytes, kept.images_of_nobody);
        let counts = (images.count, build_logs.count, cache_entries.count);
        if is_worth_reporting {
            tracing::info!(
                images = counts.0,
                build_logs = counts.1,
                cache_entries = counts.2,
                bytes,
                failures,
                kept,
                kept_bytes,
                of_nobody,
                "removed what no job needs"
            );
        } else {
            tracing::debug!(kept, kept_bytes, of_nobody, "there is nothing to remove that no job needs");
        }
    }
}
