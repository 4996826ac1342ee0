//! Writing, replacing and removing files so that nobody ever sees half of one.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

/// Writes a file unless it has that content already, so that cargo sees no change where there is none.
pub fn write_if_changed(path: &Path, content: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|found| found == content) {
        return Ok(false);
    }
    replace(path, |temporary| fs::write(temporary, content))?;
    Ok(true)
}

/// Makes a file beside its place and moves it there, so that nobody ever sees half of it. Returns what `make` does.
pub fn replace<T, E: Into<anyhow::Error>>(
    path: &Path,
    make: impl FnOnce(&Path) -> Result<T, E>,
) -> Result<T> {
    let parent = path.parent().context("a file has a folder")?;
    let name = path.file_name().context("a file has a name")?.to_string_lossy();
    fs::create_dir_all(parent)?;
    let temporary = parent.join(format!(".{name}.{}", std::process::id()));
    let done = make(&temporary).map_err(Into::into).and_then(|result| {
        fs::rename(&temporary, path)?;
        Ok(result)
    });
    if done.is_err() {
        // Whether there is something to remove depends on how far it got.
        let _ = fs::remove_file(&temporary);
    }
    done
}

/// Removes a file, a link or a folder with everything in it. A link is not followed.
pub fn remove_any(path: &Path) -> Result<()> {
    let is_dir = fs::symlink_metadata(path)?.is_dir();
    let removed = if is_dir { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    Ok(removed?)
}

/// The way from one absolute folder to another path.
pub fn relative(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components()).take_while(|(left, right)| left == right).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_cannot_be_replaced_leaves_nothing_behind() {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("a folder");
        fs::create_dir_all(place.join("with something in it")).unwrap();
        assert!(replace(&place, |temporary| fs::write(temporary, "")).is_err());
        assert!(
            replace(&root.path().join("b"), |_| Err::<(), _>(io::Error::from(io::ErrorKind::Other))).is_err()
        );
        let names = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["a folder"]);
    }

    #[test]
    fn links_are_relative() {
        assert_eq!(relative(Path::new("/a/b/c"), Path::new("/a/d")), Path::new("../../d"));
        assert_eq!(relative(Path::new("/a"), Path::new("/a/b")), Path::new("b"));
    }
}
