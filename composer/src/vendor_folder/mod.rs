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

mod folder;
mod layout;
mod record;

pub use folder::VendorFolder;
pub use layout::{CARGO_CONFIG, CHECKSUMS, CRATES, PLUGINS};
pub use record::{Record, VendoredPlugin};
