//! The checkout that builds plugins.

use semver::Version;

/// What a checkout builds plugins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The version of its racetrack-core.
    pub core: Version,
    /// The version of its compiler.
    pub rust: Version,
}
