//! What the fixtures are made of.

pub(crate) mod raw_zip;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use racetrack_bundle::{LoadOptions, Origin, Platform, PluginSource, Style, render};
use semver::Version;
use tempfile::TempDir;

/// A manifest without mistakes.
pub(crate) const MANIFEST: &str = "name: my-plugin\nversion: 1.2.3\n";

/// A crate manifest that goes with [`MANIFEST`].
pub(crate) const CRATE: &str = "[package]
name = \"my-plugin\"
version = \"1.2.3\"
edition = \"2024\"

[dependencies]
racetrack-core = \"0.1\"
";

/// What the fixtures' declaration knows.
pub(crate) fn options(base: &Path) -> LoadOptions {
    let known_components = ["image-builder", "lifecycle"].map(str::to_owned);
    LoadOptions {
        base: base.to_owned(),
        allow_build_script: false,
        known_components: BTreeSet::from(known_components),
        shown_as: None,
        platform: Some(Platform { core: Version::new(0, 1, 4), rust: Version::new(1, 95, 0) }),
    }
}

/// A plugin's folder `plugin`, without mistakes until a fixture makes some.
pub(crate) struct PluginFolder {
    base: TempDir,
}

impl PluginFolder {
    pub(crate) fn new() -> Self {
        let folder = Self { base: tempfile::tempdir().expect("a temporary folder") };
        folder.with("plugin-manifest.yaml", MANIFEST).with("Cargo.toml", CRATE).with("src/lib.rs", "")
    }

    /// Writes a file.
    pub(crate) fn with(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path().join(path);
        fs_err::create_dir_all(path.parent().expect("inside the folder")).expect("created");
        fs_err::write(path, content).expect("written");
        self
    }

    pub(crate) fn without(self, path: &str) -> Self {
        fs_err::remove_file(self.path().join(path)).expect("removed");
        self
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.base.path().join("plugin")
    }

    pub(crate) fn load(&self) -> Result<PluginSource, String> {
        load(Origin::Folder(self.path()), &options(self.base.path()))
    }

    /// The diagnostics of a folder that must have some.
    pub(crate) fn refused(&self) -> String {
        self.load().map(|source| source.manifest).expect_err("the folder has a mistake")
    }
}

/// The diagnostics of a bundle that must have some. Afterwards nothing but the bundle may be on disk.
pub(crate) fn refused_bundle(bundle: &[u8]) -> String {
    let base = tempfile::tempdir().expect("a temporary folder");
    let path = write_bundle(base.path(), bundle);
    let refused = load(Origin::Zip(path.clone()), &options(base.path()));
    let refused = refused.map(|source| source.manifest).expect_err("the bundle has a mistake");
    let entries = fs_err::read_dir(base.path().join("bundles")).expect("listed").count();
    assert_eq!(entries, 1, "something was left beside the bundle");
    assert_eq!(fs_err::read_dir(base.path()).expect("listed").count(), 1, "something was left on disk");
    assert!(fs_err::read(path).expect("still there") == bundle, "the bundle was changed");
    refused
}

/// A bundle that must have no mistakes.
pub(crate) fn accepted_bundle(bundle: &[u8]) -> PluginSource {
    let base = tempfile::tempdir().expect("a temporary folder");
    let path = write_bundle(base.path(), bundle);
    load(Origin::Zip(path), &options(base.path())).expect("the bundle has no mistake")
}

/// A source with its diagnostics as text.
pub(crate) fn load(origin: Origin, options: &LoadOptions) -> Result<PluginSource, String> {
    PluginSource::load(origin, options).map_err(|diagnostics| render(&diagnostics, Style::Plain))
}

fn write_bundle(base: &Path, bundle: &[u8]) -> PathBuf {
    fs_err::create_dir(base.join("bundles")).expect("created");
    let path = base.join("bundles/x.zip");
    fs_err::write(&path, bundle).expect("written");
    path
}
