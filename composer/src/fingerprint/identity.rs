//! What distinguishes a file from another one in its place, without reading it.

use std::fs::Metadata;
use std::io;
use std::path::Path;

/// The identity of the file that `path` leads to; nothing when there is none.
///
/// On Unix the time of the last change of its inode is part of it, which no program can set: a file that was replaced or written to
/// has another identity, whatever its other times say. Elsewhere its content is read.
pub(super) fn identity(path: &Path) -> io::Result<Option<String>> {
    match std::fs::metadata(path) {
        Ok(metadata) => of(path, &metadata).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere the file is read")]
fn of(_: &Path, metadata: &Metadata) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt;

    Ok(format!(
        "{}:{}:{}:{}.{}:{}.{}",
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec()
    ))
}

#[cfg(not(unix))]
fn of(path: &Path, metadata: &Metadata) -> io::Result<String> {
    if metadata.is_dir() {
        Ok("folder".to_owned())
    } else {
        std::fs::read(path).map(|content| super::digest(&content))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs::{File, copy, rename, write};

    use super::*;

    #[test]
    fn a_file_in_the_place_of_another_one_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let [path, other] = ["a", "b"].map(|name| folder.path().join(name));
        assert_eq!(identity(&path).unwrap(), None);
        write(&path, "1").unwrap();
        let first = identity(&path).unwrap();
        assert_eq!(identity(&path).unwrap(), first);
        let time = path.metadata().unwrap().modified().unwrap();
        write(&path, "2").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        let second = identity(&path).unwrap();
        assert_ne!(second, first, "its time was set back");
        copy(&path, &other).unwrap();
        rename(&other, &path).unwrap();
        assert_ne!(identity(&path).unwrap(), second, "it was replaced by a copy");
    }
}
