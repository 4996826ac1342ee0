//! Files and folders of the state: how they are read, replaced and removed.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::system::random::random_name;

/// What the file system refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub(crate) struct StateError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl StateError {
    /// Makes the error of an action on a path.
    pub(crate) fn because(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { action, path, source }
    }

    /// Whether what was looked for is not there.
    pub(crate) fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

/// Makes a folder, and those above it, for the user of lifecycle alone.
pub(crate) fn create_folder(path: &Path) -> Result<(), StateError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(StateError::because("create", path))
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, StateError> {
    fs::read(path).map_err(StateError::because("read", path))
}

/// Replaces a file: at any time, and after a crash, it has either the old content or the new one.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<(), StateError> {
    let temporary = write_beside(path, content)?;
    fs::rename(&temporary, path).map_err(|error| {
        // It is of no use to anybody, and on a full disk in the way.
        let _ = fs::remove_file(&temporary);
        StateError::because("write", path)(error)
    })
}

/// Makes a file unless there is one; tells whether it did.
pub(crate) fn create_atomically(path: &Path, content: &[u8]) -> Result<bool, StateError> {
    let temporary = write_beside(path, content)?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary).map_err(StateError::because("remove", &temporary))?;
    match linked {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(StateError::because("write", path)(error)),
    }
}

/// Moves a file to where another one may be, which it replaces; tells whether there was one to move.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<bool, StateError> {
    if !from.exists() {
        return Ok(false);
    }
    create_folder(to.parent().expect("a file of the state folder is in a folder"))?;
    fs::rename(from, to).map_err(StateError::because("write", to))?;
    Ok(true)
}

/// Removes a file or a whole folder, and then the folders above it as far as they are empty, up to and without
/// `keep`. That something is not there is no error.
pub(crate) fn remove(path: &Path, keep: &Path) -> Result<(), StateError> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    let result = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    gone(result).map_err(StateError::because("remove", path))?;
    for parent in path.ancestors().skip(1).take_while(|parent| *parent != keep) {
        match fs::remove_dir(parent) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => break,
            result => gone(result).map_err(StateError::because("remove", parent))?,
        }
    }
    Ok(())
}

fn write_beside(path: &Path, content: &[u8]) -> Result<PathBuf, StateError> {
    let parent = path.parent().expect("a file of the state folder is in a folder");
    create_folder(parent)?;
    let name = path.file_name().expect("a file of the state folder has a name").to_string_lossy();
    let temporary = parent.join(format!(".{name}.{}", random_name()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|error| {
        // On a full disk what is half-written would take the room that is left. It may not be there at all.
        let _ = fs::remove_file(&temporary);
        StateError::because("write", &temporary)(error)
    })?;
    Ok(temporary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_file_is_not_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        assert!(create_atomically(&path, b"first").unwrap());
        assert!(!create_atomically(&path, b"second").unwrap());
        assert_eq!(read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
