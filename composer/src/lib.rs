//! Composes the plugins that `racetrack.toml` declares into one binary per component.

pub mod binary;
pub mod build;
pub mod cargo;
pub mod checkout;
pub mod codes;
pub mod declaration;
pub mod description;
pub mod file_lock;
pub mod files;
pub mod fingerprint;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod garbage;
pub mod lockfile;
pub mod plan;
pub mod quantity;
pub mod rejected;
pub mod remote;
pub mod session;
pub mod shell;
pub mod sizes;
pub mod sources;
pub mod transcript;
pub mod vendor_folder;
pub mod vendored;
pub mod vendoring;
pub mod verification;
pub mod workspace;
