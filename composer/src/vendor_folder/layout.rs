//! What is where in a vendor folder.

/// The crates.
pub const CRATES: &str = "crates";
/// The plugin sources.
pub const PLUGINS: &str = "plugins";
/// The checksums.
pub const CHECKSUMS: &str = "checksums";
/// Cargo's settings. Paths in them are relative to the folder above theirs.
pub const CARGO_CONFIG: &str = "cargo/config.toml";
