//! What `cargo xtask test` consists of: what the tests need from elsewhere, the tests without a network, and what they took.

mod network;
mod report;
mod supplies;

pub(crate) use network::{Isolation, isolation};
pub(crate) use report::{Outcome, SectionReport, Slowest, table};
pub(crate) use supplies::{Supplies, fetch_crates, fetch_wheels};
