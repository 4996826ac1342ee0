//! The crates of a component as they were last asked for, so that a build with nothing to do need not ask cargo.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::{CrateSet, CrateSource};
use crate::files::write_if_changed;

/// Changes when the same question would get another answer.
const VERSION: &str = "2";

#[derive(Serialize, Deserialize)]
struct Cached {
    key: String,
    /// The folder of each plugin when the crates were listed, by its identifier: crates say which plugin they are from.
    plugins: BTreeMap<String, String>,
    crates: CrateSet,
}

/// A digest of everything that the crates follow from: the generated manifest, the lock, the manifests in `folders` (of crates of
/// the checkout and of plugins, by name), and the target. The code of a plugin does not count.
pub fn key(manifest: &str, lock: &[u8], folders: &BTreeMap<String, PathBuf>, target: &str) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut add = |part: &[u8]| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    };
    for part in [VERSION.as_bytes(), target.as_bytes(), manifest.as_bytes(), lock] {
        add(part);
    }
    for (name, folder) in folders {
        for path in manifests(folder)? {
            let inside = path.strip_prefix(folder).unwrap_or(&path);
            add(name.as_bytes());
            add(inside.as_os_str().as_encoded_bytes());
            add(&fs::read(&path)?);
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// The manifests of a crate and of those that it brings in folders of its folder, sorted.
fn manifests(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let (name, path) = (entry.file_name(), entry.path());
            if name == "Cargo.toml" {
                found.insert(path);
            } else if name != "target" && entry.file_type()?.is_dir() {
                waiting.push(path);
            }
        }
    }
    Ok(found)
}

/// The crates that were stored under this key, with the folders that plugins have now. A file that cannot be read is one that is
/// not there.
pub fn load(path: &Path, key: &str, plugins: &BTreeMap<String, String>) -> Option<CrateSet> {
    let cached: Cached = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    if cached.key != key || !cached.plugins.keys().eq(plugins.keys()) {
        return None;
    }
    let mut crates = cached.crates;
    for one in &mut crates.0 {
        if let CrateSource::Plugin(folder) = &mut one.source {
            let (identifier, _) = cached.plugins.iter().find(|(_, former)| *former == folder)?;
            folder.clone_from(plugins.get(identifier)?);
        }
    }
    Some(crates)
}

/// Keeps the crates under a key.
pub fn store(
    path: &Path,
    key: String,
    plugins: BTreeMap<String, String>,
    crates: CrateSet,
) -> Result<CrateSet> {
    let cached = Cached { key, plugins, crates };
    let text = serde_json::to_vec(&cached).context("cannot write the crates as JSON")?;
    write_if_changed(path, &text)?;
    Ok(cached.crates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::crates::tests::crate_set;

    fn plugins(folder: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("one_1_0_0".to_owned(), folder.to_owned())])
    }

    #[test]
    fn crates_are_found_under_their_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.crates.json");
        let listed = plugins("one-1.0.0-abc");
        assert_eq!(load(&path, "1", &listed), None);
        store(&path, "1".to_owned(), listed.clone(), crate_set()).unwrap();
        assert_eq!(load(&path, "1", &listed), Some(crate_set()));
        assert_eq!(load(&path, "2", &listed), None);
        assert_eq!(load(&path, "1", &BTreeMap::new()), None);
        let sources = |set: CrateSet| set.0.into_iter().map(|one| one.source).collect::<Vec<_>>();
        let edited = sources(load(&path, "1", &plugins("one-1.0.0-def")).unwrap());
        assert!(edited.contains(&CrateSource::Plugin("one-1.0.0-def".to_owned())));
        assert!(!edited.contains(&CrateSource::Plugin("one-1.0.0-abc".to_owned())));
        fs::write(&path, "{").unwrap();
        assert_eq!(load(&path, "1", &listed), None);
    }

    #[test]
    fn every_manifest_and_the_target_count() {
        let root = tempfile::tempdir().unwrap();
        let core = root.path().join("core");
        fs::create_dir_all(core.join("inner")).unwrap();
        fs::write(core.join("Cargo.toml"), "").unwrap();
        let folders = BTreeMap::from([("core".to_owned(), core.clone())]);
        let mut seen = BTreeSet::new();
        for (path, text) in
            [("Cargo.toml", "[package]"), ("Cargo.toml", "[lib]"), ("inner/Cargo.toml", "[package]")]
        {
            fs::write(core.join(path), text).unwrap();
            for (manifest, lock, target) in
                [("m", "l", "t"), ("m2", "l", "t"), ("m", "l2", "t"), ("m", "l", "t2"), ("ml", "", "t")]
            {
                seen.insert(key(manifest, lock.as_bytes(), &folders, target).unwrap());
            }
        }
        assert_eq!(seen.len(), 15);
        let before = key("m", b"l", &folders, "t").unwrap();
        fs::write(core.join("inner/lib.rs"), "code").unwrap();
        assert_eq!(key("m", b"l", &folders, "t").unwrap(), before, "code does not count");
    }
}
