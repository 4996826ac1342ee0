//! The folder of one target: where things are in it, and how files there are replaced and locked.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::job_key::JobKey;
use crate::sealed::random_name;

/// Where a target keeps what it knows. Only the user of lifecycle can read it.
///
/// ```text
/// <folder>/lock                              held by the lifecycle that runs the jobs
/// <folder>/secrets/<name>/<version>.sealed   the secrets of a job
/// <folder>/next-secrets/<name>/<version>.sealed
///                                            those for the next instance of a job that serves, until it is started
/// <folder>/jobs/<name>/<version>/<generation>/
///     instance.json  environment.sealed  logs/replica-0.log  work/0/
///     secrets.sealed                         those that it brings, until it serves
/// ```
#[derive(Clone, Debug)]
pub(crate) struct StateFolder {
    root: PathBuf,
}

/// What the file system refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub(crate) struct StateError {
    action: &'static str,
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl StateFolder {
    pub(crate) const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The folder of one job.
    pub(crate) fn job(&self, key: &JobKey) -> PathBuf {
        self.root.join("jobs").join(key.name()).join(key.version())
    }

    /// The sealed secrets of one job.
    pub(crate) fn secrets(&self, key: &JobKey) -> PathBuf {
        sealed_file(self.secrets_folder(), key)
    }

    /// The folder of the secrets, which stays when they go.
    pub(crate) fn secrets_folder(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// The sealed secrets for the next instance of a job.
    pub(crate) fn next_secrets(&self, key: &JobKey) -> PathBuf {
        sealed_file(self.next_secrets_folder(), key)
    }

    /// The folder of such secrets.
    pub(crate) fn next_secrets_folder(&self) -> PathBuf {
        self.root.join("next-secrets")
    }

    /// The folder of every instance there is.
    pub(crate) fn instances(&self) -> Result<Vec<PathBuf>, StateError> {
        let mut found = vec![self.root.join("jobs")];
        for _ in ["name", "version", "generation"] {
            let mut next = Vec::new();
            for folder in found {
                next.append(&mut subfolders(&folder)?);
            }
            found = next;
        }
        Ok(found)
    }

    /// Checks that there is room: writes a file, which is removed at once. Less may fit where nothing else does.
    pub(crate) fn check_room(&self) -> Result<(), StateError> {
        const SIZE: usize = 64 << 10;
        let path = self.root.join("room-check");
        let failed = || StateError::because("write", &path);
        create_folder(&self.root)?;
        // One that a killed lifecycle left is written over.
        let mut options = OpenOptions::new();
        let written =
            options.write(true).create(true).truncate(true).mode(0o600).open(&path).and_then(|mut file| {
                file.write_all(&[0; SIZE])?;
                // Some file systems find only here that they are full.
                file.sync_data()
            });
        let removed = match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        written.and(removed).map_err(failed())
    }

    /// Claims the target for this process; `None` while another holds it. The claim ends with the file.
    pub(crate) fn try_lock(&self) -> Result<Option<File>, StateError> {
        create_folder(&self.root)?;
        let path = self.root.join("lock");
        let failed = StateError::because("open", &path);
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(&path).map_err(failed)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(StateError::because("lock", &path)(error.into())),
        }
    }
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

fn sealed_file(folder: PathBuf, key: &JobKey) -> PathBuf {
    folder.join(key.name()).join(format!("{}.sealed", key.version()))
}

fn subfolders(folder: &Path) -> Result<Vec<PathBuf>, StateError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(StateError::because("list", folder))?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry.map_err(StateError::because("list", folder))?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
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
    fn removing_leaves_no_empty_folder_and_touches_no_neighbour() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path().to_owned());
        let (one, two) = (JobKey::new("a", "1.0.0").unwrap(), JobKey::new("a", "2.0.0").unwrap());
        write_atomically(&state.secrets(&one), b"1").unwrap();
        write_atomically(&state.secrets(&two), b"2").unwrap();
        remove(&state.secrets(&one), folder.path()).unwrap();
        assert_eq!(read(&state.secrets(&two)).unwrap(), b"2");
        assert!(read(&state.secrets(&one)).unwrap_err().is_not_found());
        remove(&state.secrets(&two), folder.path()).unwrap();
        remove(&state.secrets(&two), folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_target_is_claimed_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path().join("target"));
        let claim = state.try_lock().unwrap().expect("nobody holds it");
        assert!(state.try_lock().unwrap().is_none());
        drop(claim);
        assert!(state.try_lock().unwrap().is_some());
    }

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
