//! Where the store has what was fetched.

use std::path::{Path, PathBuf};

use super::sha256::Sha256;

/// Where the store has the bundle with this digest.
pub(super) fn bundle_path(store: &Path, sha256: &Sha256) -> PathBuf {
    store.join("downloads").join(format!("{sha256}.zip"))
}

/// Where the store has a folder of a commit.
pub(super) fn tree_path(store: &Path, commit: &str, subfolder: Option<&str>) -> PathBuf {
    let digest = subfolder.map(|subfolder| blake3::hash(subfolder.as_bytes()).to_hex());
    let name = match &digest {
        Some(digest) => format!("{commit}-{}", &digest[..12]),
        None => commit.to_owned(),
    };
    store.join("git").join(name)
}

/// Beside the tree, so that the tree holds nothing but the files of the commit.
pub(super) fn digest_path(place: &Path) -> PathBuf {
    place.with_added_extension("blake3")
}
