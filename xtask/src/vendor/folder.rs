//! A vendor folder that is built from.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use super::checksums::{Checksums, Differences};
#[cfg(test)]
use super::record::VendoredPlugin;
use super::{CARGO_CONFIG, CHECKSUMS, CRATES, Record, inputs};
use crate::checkout::{Checkout, TOOLCHAIN};
use crate::declaration;
use crate::remote::Sha256;
use crate::shell::Shell;

/// A vendor folder with nothing missing, changed or added.
#[derive(Clone, Debug)]
pub(crate) struct VendorFolder {
    path: PathBuf,
    record: Record,
}

/// Why nothing is built from a vendor folder.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// It does not look like one.
    #[error("{folder} is no vendor folder: it has no `{CHECKSUMS}`")]
    NotVendored {
        /// The folder.
        folder: String,
    },
    /// Its files are not what was put there.
    #[error("{folder} is not as `cargo xtask vendor` has left it:\n{differences}")]
    Damaged {
        /// The folder.
        folder: String,
        /// What is different.
        differences: Differences,
    },
    /// It was made with another compiler.
    #[error(
        "{folder} was made for `{expected}`, and this is `{TOOLCHAIN}`; build with that toolchain, or make the folder \
         anew with `cargo xtask vendor`"
    )]
    Toolchain {
        /// The folder.
        folder: String,
        /// The compiler it was made for.
        expected: String,
    },
    /// The checkout is not the one it was made for.
    #[error(
        "{folder} was made for another checkout: {changed} changed since; make it anew with `cargo xtask vendor`"
    )]
    Outdated {
        /// The folder.
        folder: String,
        /// The files that are different, and a verb.
        changed: String,
    },
}

impl VendorFolder {
    /// Opens a vendor folder after comparing all of its files with its checksums.
    pub(crate) fn open(path: &Path, checkout: &Checkout, shell: &Shell) -> Result<Self> {
        let path = fs::canonicalize(path)?;
        let folder = checkout.display(&path).to_string();
        let Some(expected) = inputs::content(&path.join(CHECKSUMS))? else {
            return Err(Refusal::NotVendored { folder }.into());
        };
        let expected = String::from_utf8(expected).map_err(anyhow::Error::from);
        let expected = expected.and_then(|text| Checksums::parse(&text));
        let expected = expected.with_context(|| format!("cannot read the `{CHECKSUMS}` of {folder}"))?;
        let found = Checksums::of(&path, |files| shell.progress("Verifying", files))?;
        if let Some(differences) = expected.differences(&found) {
            return Err(Refusal::Damaged { folder, differences }.into());
        }
        let record = Record::parse(&fs::read_to_string(path.join(Record::FILE_NAME))?)
            .with_context(|| format!("cannot build from {folder}"))?;
        if record.toolchain != TOOLCHAIN {
            return Err(Refusal::Toolchain { folder, expected: record.toolchain }.into());
        }
        Ok(Self { path, record })
    }

    /// Refuses a checkout whose declaration or locks are others than those the folder was made for; `declaration` is
    /// that of the command line.
    pub(crate) fn check_inputs(&self, declaration: Option<&Path>, checkout: &Checkout) -> Result<()> {
        let file = declaration.map_or_else(|| checkout.root.join(declaration::FILE_NAME), Path::to_path_buf);
        let mut changed = Vec::new();
        // A declaration that is missing is for its reader to tell about.
        let text = inputs::content(&file)?;
        if text.is_some_and(|text| Sha256::of(&text).to_string() != self.record.declaration) {
            changed.push(file.file_name().unwrap_or_default().to_string_lossy().into_owned());
        }
        let components = inputs::components(&self.path)?;
        for lock in inputs::locks(components.iter().map(String::as_str), &file, checkout) {
            if inputs::content(&lock.path)? != inputs::content(&self.path.join(&lock.name))? {
                changed.push(lock.name);
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        let verb = if changed.len() == 1 { "has" } else { "have" };
        let changed = format!("{} {verb}", changed.join(", "));
        Err(Refusal::Outdated { folder: checkout.display(&self.path).to_string(), changed }.into())
    }

    /// Where it is, canonical.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the crates are.
    pub(crate) fn crates(&self) -> PathBuf {
        self.path.join(CRATES)
    }

    /// The folder below `registry/src/` of cargo's home that has the same crates where there is a network.
    pub(crate) fn registry_folder(&self) -> &str {
        &self.record.registry_folder
    }

    /// The settings that let cargo take crates from here.
    pub(crate) fn cargo_config(&self) -> PathBuf {
        self.path.join(CARGO_CONFIG)
    }

    /// The bundle or folder of the plugin source that a declaration writes like this.
    pub(crate) fn plugin(&self, source: &str) -> Option<PathBuf> {
        let plugin = self.record.plugins.iter().find(|plugin| plugin.source == source)?;
        Some(self.path.join(&plugin.path))
    }

    /// One that is only a path.
    #[cfg(test)]
    pub(crate) fn for_tests(path: impl Into<PathBuf>, registry_folder: &str) -> Self {
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
    pub(crate) fn with_plugin(mut self, source: &str, path: &str) -> Self {
        let plugin = VendoredPlugin { source: source.to_owned(), path: path.to_owned() };
        self.record.plugins.push(plugin);
        self
    }
}
