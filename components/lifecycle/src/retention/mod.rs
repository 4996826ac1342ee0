//! Has image-builder remove what no job needs, at intervals and after jobs are deleted, and removes build logs from the
//! database likewise.
//!
//! Image-builder says what it holds for this platform, and then it is looked what of that is [needed](needs): what comes to
//! be needed later was made later, so image-builder keeps it whatever is said here. When anything cannot be read, or a
//! target cannot say what it uses, nothing is removed.

mod error;
mod holdings;
mod needs;
mod sweep;
mod trigger;

pub(crate) use self::error::RetentionError;
pub(crate) use self::sweep::start;
pub(crate) use self::trigger::RetentionTrigger;
