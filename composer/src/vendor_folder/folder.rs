//! A vendor folder that is built from.

use std::path::{Path, PathBuf};

#[cfg(test)]
use crate::checkout::TOOLCHAIN;

use super::layout::{CARGO_CONFIG, CRATES};
use super::record::Record;
#[cfg(test)]
use super::record::VendoredPlugin;

/// A vendor folder with nothing missing, changed or added.
#[derive(Clone, Debug)]
pub struct VendorFolder {
    path: PathBuf,
    record: Record,
}

impl VendorFolder {
    /// The folder at `path`, canonical, whose files were compared with its checksums.
    pub const fn new(path: PathBuf, record: Record) -> Self {
        Self { path, record }
    }

    /// What it says about itself.
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// Where it is, canonical.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the crates are.
    pub fn crates(&self) -> PathBuf {
        self.path.join(CRATES)
    }

    /// The folder below `registry/src/` of cargo's home that has the same crates where there is a network.
    pub fn registry_folder(&self) -> &str {
        &self.record.registry_folder
    }

    /// The settings that let cargo take crates from here.
    pub fn cargo_config(&self) -> PathBuf {
        self.path.join(CARGO_CONFIG)
    }

    /// The bundle or folder of the plugin source that a declaration writes like this.
    pub fn plugin(&self, source: &str) -> Option<PathBuf> {
        let plugin = self.record.plugins.iter().find(|plugin| plugin.source == source)?;
        Some(self.path.join(&plugin.path))
    }

    /// One that is only a path.
    #[cfg(test)]
    pub fn for_tests(path: impl Into<PathBuf>, registry_folder: &str) -> Self {
        let record = Record {
            version: Record::VERSION,
            toolchain: TOOLCHAIN.to_owned(),
            declaration: String::new(),
            registry_folder: registry_folder.to_owned(),
            plugins: Vec::new(),
        };
        Self { path: path.into(), record }
    }

    /// One with a plugin source more.
    #[cfg(test)]
    #[must_use]
    pub fn with_plugin(mut self, source: &str, path: &str) -> Self {
        let plugin = VendoredPlugin { source: source.to_owned(), path: path.to_owned() };
        self.record.plugins.push(plugin);
        self
    }
}
