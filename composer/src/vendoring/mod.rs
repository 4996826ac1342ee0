//! Vendoring: making a vendor folder.

mod crates;
mod making;
mod operation;
mod place;

pub use operation::{Vendored, vendor};
pub use place::PlaceError;
