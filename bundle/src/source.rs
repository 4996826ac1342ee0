//! A plugin source: a folder or a ZIP bundle that was read, checked and digested.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use racetrack_core::PluginManifest;

use crate::Diagnostics;

/// Where a plugin source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A folder with a plugin crate.
    Folder(PathBuf),
    /// A ZIP bundle.
    Zip(PathBuf),
}

/// What the declaration allows and knows about the source.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Paths in diagnostics are shown relative to this folder (the declaration's).
    pub base: PathBuf,
    /// Whether a build script is accepted.
    pub allow_build_script: bool,
    /// The names a manifest may list under `components`.
    pub known_components: BTreeSet<String>,
}

/// A checked plugin source. Everything that was read is held in memory; nothing was written.
#[derive(Clone, Debug)]
pub struct PluginSource {
    pub origin: Origin,
    pub manifest: PluginManifest,
    /// Files sorted bytewise by path; paths are relative, `/`-separated and safe.
    pub files: Vec<SourceFile>,
    /// BLAKE3 over (path, content) of all files, hex. Equal for a folder and for the bundle made of it.
    pub digest: String,
    /// The crate's `[package] name`, equal to the plugin's name.
    pub crate_name: String,
    /// SHA-256 or BLAKE3 of the ZIP file itself, hex, for bundles.
    pub archive_digest: Option<String>,
}

/// One file of a plugin source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    pub path: String,
    pub content: Vec<u8>,
}

impl PluginSource {
    /// Reads and checks the source at `origin` (an absolute path).
    pub fn load(origin: Origin, options: &LoadOptions) -> Result<Self, Diagnostics> {
        let _ = (origin, options);
        unreachable!("under construction")
    }

    /// `<name>-<version>-<first 12 hex digits of the digest>`: the name of the plugin's folder in the store.
    pub fn store_name(&self) -> String {
        format!("{}-{}-{}", self.manifest.name, self.manifest.version, &self.digest[..12])
    }

    /// Makes sure `store/<store_name>` holds exactly these files, atomically; returns that folder.
    pub fn unpack_into(&self, store: &Path) -> std::io::Result<PathBuf> {
        let _ = store;
        unreachable!("under construction")
    }
}
