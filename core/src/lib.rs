//! The Racetrack plugin SDK.

pub mod plugin_manifest;
pub mod plugin_name;
pub mod version;

pub use plugin_manifest::{Category, PluginManifest};
pub use plugin_name::PluginName;
pub use version::Version;
