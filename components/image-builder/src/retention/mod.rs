//! What is removed again: bundles and build logs when lifecycle says that they may go, and what bundles needed of the cache.
//!
//! Only lifecycle knows what jobs need. It asks what image-builder [holds](Holdings) for its platform, looks what of that is
//! needed, and [releases](Release) the rest. Nothing goes that is not named, so a list that is empty or cut short removes
//! too little; and nothing goes that was made or used again after lifecycle asked, for the [mark](Mark) tells.

pub(crate) mod build_logs;
pub(crate) mod holdings;
pub(crate) mod mark;
pub(crate) mod metrics;
pub(crate) mod owner;
pub(crate) mod removals;

use std::io;

pub(crate) use holdings::{HeldImage, Holdings, Release};
pub(crate) use mark::Mark;
pub(crate) use owner::Owner;
pub(crate) use removals::{RemainingImages, Removals};

/// Why nothing is removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RetentionError {
    #[error("the mark is of another start of image-builder; ask again what it holds")]
    OldMark,
    #[error("cannot tell what is held")]
    Read(#[from] io::Error),
}
