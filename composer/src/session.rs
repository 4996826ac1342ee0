//! What every operation of the build system works with.

use crate::checkout::Checkout;
use crate::shell::Shell;

/// Something that cannot be done without a network.
#[derive(Debug, thiserror::Error)]
#[error("{what} needs the network, which `--offline` forbids")]
pub struct NetworkForbidden {
    /// What was to be done.
    pub what: &'static str,
}

/// The checkout that is worked on, and where progress is reported.
#[derive(Clone, Debug)]
pub struct Session {
    /// The checkout, and whether its network may be used.
    pub checkout: Checkout,
    /// Where progress is reported.
    pub shell: Shell,
}
