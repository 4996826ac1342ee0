//! Vendor folders: everything a build needs that is not in the checkout, for machines without a network.
//!
//! | path | what it is |
//! | --- | --- |
//! | `vendor.toml` | the [`Record`]: what the folder was made for |
//! | `checksums` | the SHA-256 of every other file, in the form of `sha256sum` |
//! | `cargo/config.toml` | tells cargo to take crates from here: `cargo --config DIR/cargo/config.toml …` |
//! | `crates/<name>-<version>/` | the crates of all locks, as `cargo vendor` writes them |
//! | `plugins/` | the plugin sources that are no folders of the checkout |
//! | `Cargo.lock`, `racetrack.lock` or that of another declaration, `locks/` | the locks it was made for, to be compared with those of the checkout |
//!
//! The same checkout gives the same bytes.

mod checksums;
mod crates;
mod folder;
mod inputs;
mod making;
mod record;

pub(crate) use folder::VendorFolder;
pub(crate) use making::make;
pub(crate) use record::Record;

/// The crates.
const CRATES: &str = "crates";
/// The plugin sources.
const PLUGINS: &str = "plugins";
/// The checksums.
const CHECKSUMS: &str = "checksums";
/// Cargo's settings. Paths in them are relative to the folder above theirs.
const CARGO_CONFIG: &str = "cargo/config.toml";
