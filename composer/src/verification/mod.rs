//! Whether a second build, under other circumstances, gives the same bytes; and if not, which crate is to blame.

mod artifacts;
mod difference;
mod operation;
mod second_checkout;
mod subject;
mod suspects;

pub use operation::{Remains, verify};
pub use second_checkout::SecondCheckout;
