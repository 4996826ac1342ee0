//! How many files a program may open that a component starts.
//!
//! A component raises its own limit, to take many connections. What it starts is to have the limit that the component was
//! started with: programs exist that look at every descriptor that could be open, or that cannot use those from 1024 on.
//!
//! There is no way to give a child its limits before it runs that works without unsafe code, so whoever starts a program
//! sets its soft limit to [`original_limit`] right afterwards.

use std::sync::OnceLock;

static ORIGINAL: OnceLock<u64> = OnceLock::new();

/// The soft limit of open files that the component was started with, if it has raised its own since.
pub fn original_limit() -> Option<u64> {
    ORIGINAL.get().copied()
}

/// Notes the limit. The component does that once, before it raises its own; what is noted later is ignored.
pub fn note_original_limit(limit: u64) {
    ORIGINAL.get_or_init(|| limit);
}
