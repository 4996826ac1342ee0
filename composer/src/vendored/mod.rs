//! Building from a vendor folder: whether it is what was vendored, for this checkout.

pub(crate) mod checksums;
pub(crate) mod inputs;
mod opening;

pub use opening::open_for_build;
