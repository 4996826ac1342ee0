//! What the crates of a source are checked against.

use racetrack_core::PluginManifest;

use super::platform::Platform;
use crate::source_file::SourceFiles;
use crate::source_label::SourceLabel;

/// The file name of a crate's manifest.
pub(crate) const FILE_NAME: &str = "Cargo.toml";

/// What the crates of one source are checked against.
#[derive(Clone, Copy)]
pub(crate) struct CrateRules<'a> {
    pub(crate) files: SourceFiles<'a>,
    pub(crate) shown: &'a SourceLabel,
    /// The plugin's manifest, if it could be read.
    pub(crate) manifest: Option<&'a PluginManifest>,
    pub(crate) allow_build_script: bool,
    /// What builds the plugin, if that is known.
    pub(crate) platform: Option<&'a Platform>,
}
