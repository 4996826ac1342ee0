//! The folder of one target: where things are in it, and the claim on it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::state::file::{StateError, create_folder};
use crate::state::job_key::JobKey;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::file::{read, remove, write_atomically};

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
}
