//! The crates of a component as they were last asked for, so that a build with nothing to do need not ask cargo.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::CrateSet;
use crate::output::write_if_changed;

/// Changes when the same question would get another answer.
const VERSION: &str = "1";

#[derive(Serialize, Deserialize)]
struct Cached {
    key: String,
    crates: CrateSet,
}

/// A digest of everything that the crates follow from: the generated manifest, the lock, the manifests of the checkout's
/// crates (`members`, relative to `root`), and the target. Plugins need none of their own: their folders, which the
/// manifest names, are called after their digests.
pub(crate) fn key(
    manifest: &str,
    lock: &[u8],
    root: &Path,
    members: &BTreeSet<String>,
    target: &str,
) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut add = |part: &[u8]| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    };
    for part in [VERSION.as_bytes(), target.as_bytes(), manifest.as_bytes(), lock] {
        add(part);
    }
    for member in members {
        add(member.as_bytes());
        add(&fs::read(root.join(member).join("Cargo.toml"))?);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// The crates that were stored under this key. A file that cannot be read is one that is not there.
pub(crate) fn load(path: &Path, key: &str) -> Option<CrateSet> {
    let cached: Cached = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    (cached.key == key).then_some(cached.crates)
}

/// Keeps the crates under a key.
pub(crate) fn store(path: &Path, key: String, crates: CrateSet) -> Result<CrateSet> {
    let cached = Cached { key, crates };
    let text = serde_json::to_vec(&cached).context("cannot write the crates as JSON")?;
    write_if_changed(path, &text)?;
    Ok(cached.crates)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crates::tests::crate_set;

    #[test]
    fn crates_are_found_under_their_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.crates.json");
        assert_eq!(load(&path, "1"), None);
        store(&path, "1".to_owned(), crate_set()).unwrap();
        assert_eq!(load(&path, "1"), Some(crate_set()));
        assert_eq!(load(&path, "2"), None);
        fs::write(&path, "{").unwrap();
        assert_eq!(load(&path, "1"), None);
    }

    #[test]
    fn every_manifest_and_the_target_count() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("core")).unwrap();
        let members = BTreeSet::from(["core".to_owned()]);
        let mut seen = BTreeSet::new();
        for member in ["[package]", "[package]\nname = \"core\""] {
            fs::write(root.path().join("core/Cargo.toml"), member).unwrap();
            for (manifest, lock, target) in
                [("m", "l", "t"), ("m2", "l", "t"), ("m", "l2", "t"), ("m", "l", "t2"), ("ml", "", "t")]
            {
                seen.insert(key(manifest, lock.as_bytes(), root.path(), &members, target).unwrap());
            }
        }
        assert_eq!(seen.len(), 10);
    }
}
