//! What the lock of a component knows of its crates.

use std::collections::HashMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::tree::TreePackage;

/// The packages of a Cargo.lock, by name and version.
#[derive(Debug)]
pub struct LockedCrates(HashMap<(String, String), Vec<LockedCrate>>);

/// A package, where it is from and what its archive must be.
#[derive(Clone, Debug, Deserialize)]
pub struct LockedCrate {
    pub name: String,
    pub version: String,
    /// Registry or git repository; nothing for folders.
    pub source: Option<String>,
    /// SHA-256 of the archive, hexadecimal.
    pub checksum: Option<String>,
    /// What it depends on, each with as much as tells it from others: `name`, `name version` or `name version (source)`.
    #[serde(default)]
    pub dependencies: Vec<String>,
}

#[derive(Deserialize)]
struct LockFile {
    #[serde(default)]
    package: Vec<LockedCrate>,
}

impl LockedCrate {
    /// Reads the text of a Cargo.lock.
    pub fn parse_all(text: &str) -> Result<Vec<Self>> {
        let file: LockFile = toml::from_str(text).context("cannot read the lock of the component")?;
        Ok(file.package)
    }
}

impl LockedCrates {
    /// Reads the text of a Cargo.lock.
    pub fn parse(text: &str) -> Result<Self> {
        let mut packages: HashMap<_, Vec<_>> = HashMap::new();
        for package in LockedCrate::parse_all(text)? {
            packages.entry((package.name.clone(), package.version.clone())).or_default().push(package);
        }
        Ok(Self(packages))
    }

    /// The entry of a package. Of several with one name and version, the one whose source is of the kind that the tree
    /// names.
    pub fn find(&self, package: &TreePackage) -> Result<&LockedCrate> {
        let candidates = self.0.get(&(package.name.clone(), package.version.clone()));
        let is_folder = package
            .place
            .as_deref()
            .is_some_and(|place| !place.contains("://") && !place.starts_with("registry"));
        let fits = |locked: &&LockedCrate| locked.source.is_none() == is_folder;
        candidates
            .and_then(|candidates| candidates.iter().find(fits))
            .with_context(|| format!("the lock of the component has no {} {}", package.name, package.version))
    }
}
