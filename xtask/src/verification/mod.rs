//! Whether a second build, under other circumstances, gives the same bytes; and if not, which crate is to blame.

mod artifacts;
mod difference;
mod second_checkout;
mod suspects;

pub(crate) use artifacts::{CompiledCrate, compiled_crates};
pub(crate) use difference::first_difference;
pub(crate) use second_checkout::{Circumstances, SecondCheckout};
pub(crate) use suspects::suspects;
