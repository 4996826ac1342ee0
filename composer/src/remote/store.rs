//! What was fetched, on disk: bundles by their digest, trees of commits by the commit. Everything here can be fetched
//! again, so what is not as it was is treated as absent.

use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Result;
use fs_err as fs;
use racetrack_bundle::limits;

use super::layout::{bundle_path, digest_path};
use super::sha256::Sha256;
use super::source::RemoteSource;
use crate::files::{replace, write_if_changed};

/// Whether the source was fetched and is as it was then.
pub fn holds(store: &Path, source: &RemoteSource) -> io::Result<bool> {
    let origin = source.origin(store);
    let path = origin.path();
    match source {
        RemoteSource::Bundle { sha256, .. } => {
            let mut content = Vec::new();
            match fs::File::open(path) {
                Ok(file) => file.take(limits::ARCHIVE_BYTES + 1).read_to_end(&mut content)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            };
            Ok(Sha256::of(&content) == *sha256)
        }
        RemoteSource::Commit { .. } => holds_tree(path),
    }
}

/// Keeps a bundle.
pub(super) fn place_bundle(store: &Path, sha256: &Sha256, content: &[u8]) -> Result<()> {
    replace(&bundle_path(store, sha256), |temporary| fs::write(temporary, content))
}

/// A folder beside the trees, on the same file system, that goes away by itself.
pub(super) fn staging(store: &Path) -> io::Result<tempfile::TempDir> {
    let parent = store.join("git");
    fs::create_dir_all(&parent)?;
    tempfile::Builder::new().prefix(".tmp-").tempdir_in(parent)
}

/// Moves the folder `fresh` of `staging` to `place`. What was there goes away together with the staging folder.
pub(super) fn place_tree(fresh: &Path, staging: &Path, place: &Path) -> Result<()> {
    write_if_changed(&digest_path(place), tree_digest(fresh)?.as_bytes())?;
    if fs::symlink_metadata(place).is_ok() {
        fs::rename(place, staging.join("replaced"))?;
    }
    match fs::rename(fresh, place) {
        // Another process was faster, with the same content or it would have another name.
        Err(error) if !holds_tree(place)? => Err(error.into()),
        _ => Ok(()),
    }
}

fn holds_tree(place: &Path) -> io::Result<bool> {
    let Ok(digest) = fs::read_to_string(digest_path(place)) else {
        return Ok(false);
    };
    match fs::symlink_metadata(place) {
        Ok(metadata) if metadata.is_dir() => Ok(tree_digest(place)? == digest),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// BLAKE3 over kind, path and content of everything in the folder, in the order of paths. Links are not followed.
fn tree_digest(root: &Path) -> io::Result<String> {
    let mut entries = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                waiting.push(entry.path());
            } else {
                entries.push((entry.path(), kind.is_symlink()));
            }
        }
    }
    entries.sort();
    let mut hasher = blake3::Hasher::new();
    for (path, is_link) in entries {
        let content = if is_link {
            fs::read_link(&path)?.into_os_string().into_encoded_bytes()
        } else {
            fs::read(&path)?
        };
        let relative = path.strip_prefix(root).unwrap_or(&path).as_os_str().as_encoded_bytes();
        hasher.update(&[u8::from(is_link)]);
        for part in [relative, &content] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::remote::layout::tree_path;

    fn placed(store: &Path, text: &str) -> PathBuf {
        let staging = staging(store).unwrap();
        let fresh = staging.path().join("fresh");
        fs::create_dir_all(fresh.join("src")).unwrap();
        fs::write(fresh.join("src/lib.rs"), text).unwrap();
        let place = tree_path(store, &"a".repeat(40), None);
        place_tree(&fresh, staging.path(), &place).unwrap();
        place
    }

    #[test]
    fn a_tree_that_was_touched_is_absent_until_it_is_placed_again() {
        let store = tempfile::tempdir().unwrap();
        let place = placed(store.path(), "one");
        let tamperings: [fn(&Path); 5] = [
            |place| fs::write(place.join("src/lib.rs"), "two").unwrap(),
            |place| fs::write(place.join("more"), "").unwrap(),
            |place| fs::rename(place.join("src"), place.join("source")).unwrap(),
            |place| fs::remove_dir_all(place).unwrap(),
            |place| fs::remove_file(digest_path(place)).unwrap(),
        ];
        for tamper in tamperings {
            assert!(holds_tree(&place).unwrap());
            tamper(&place);
            assert!(!holds_tree(&place).unwrap());
            placed(store.path(), "one");
        }
        let names: Vec<_> = fs::read_dir(store.path().join("git")).unwrap().collect();
        assert_eq!(names.len(), 2, "the tree and its digest: {names:?}");
    }

    #[test]
    fn a_bundle_is_held_as_long_as_its_bytes_are_those_declared() {
        let store = tempfile::tempdir().unwrap();
        let sha256 = Sha256::of(b"content");
        let address = "https://host/x.zip".parse().unwrap();
        let source = RemoteSource::Bundle { address, sha256: sha256.clone() };
        assert!(!holds(store.path(), &source).unwrap());
        place_bundle(store.path(), &sha256, b"content").unwrap();
        assert!(holds(store.path(), &source).unwrap());
        fs::write(bundle_path(store.path(), &sha256), "other").unwrap();
        assert!(!holds(store.path(), &source).unwrap());
    }
}
