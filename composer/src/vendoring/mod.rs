//! Vendoring: making a vendor folder, and opening one to build from it.

mod checksums;
mod crates;
mod inputs;
mod making;
mod opening;
mod operation;
mod place;

pub use opening::open_for_build;
pub use operation::{Vendored, vendor};
pub use place::PlaceError;
