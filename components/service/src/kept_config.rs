//! Configurations that plugins were given while their component ran, and that are kept in files for its next start.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use racetrack_core::PluginName;
use serde_yaml::Value;

/// A configuration that goes before the plugin's section of the configuration file. Its `Debug` form does not show it,
/// for it may hold secrets.
#[derive(Clone)]
pub struct KeptConfig {
    /// Whose it is.
    pub plugin: PluginName,
    /// The configuration.
    pub config: Value,
    /// Where it is kept.
    pub file: PathBuf,
}

/// A kept configuration keeps its component from starting. The display names the file, the source says what is wrong.
#[derive(Debug, thiserror::Error)]
#[error(
    "plugin `{plugin}` is not usable with the configuration that it was given at run time, which is kept in {}; remove \
     that file to go back to the plugin's section of the configuration file",
    file.display()
)]
pub struct BadKeptConfig {
    /// Whose it is.
    pub plugin: PluginName,
    /// Where it is kept.
    pub file: PathBuf,
    /// What is wrong.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

impl fmt::Debug for KeptConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, file, .. } = self;
        f.debug_struct("KeptConfig").field("plugin", plugin).field("file", file).finish_non_exhaustive()
    }
}
