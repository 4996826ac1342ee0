//! Folders that exist only while something is built, and the claim of a build on its deployment.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::folder::removal::{remove, remove_leftovers};
use crate::identifier::DeploymentId;

/// The folder with the workspaces of all builds.
#[derive(Clone, Debug)]
pub(crate) struct Workspaces(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    claimed: Mutex<BTreeSet<DeploymentId>>,
    /// Locked for as long as this is open, so that nobody takes the workspaces of another process for leftovers.
    _lock: File,
}

/// The right to build a deployment, which one build has at a time.
#[derive(Debug)]
pub(crate) struct Claim {
    id: DeploymentId,
    workspaces: Workspaces,
}

/// A folder that is removed when its last clone is dropped. Whoever works in it holds a clone, above all on threads that
/// cannot be stopped.
#[derive(Clone, Debug)]
pub(crate) struct ScratchFolder(Arc<Scratch>);

#[derive(Debug)]
struct Scratch {
    path: PathBuf,
    /// Given up after the folder is removed.
    _claim: Option<Claim>,
}

/// Why the folder with the workspaces cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkspacesError {
    /// Another process uses it.
    #[error("the workspaces folder {} is in use by another image-builder; set workspaces-folder to another one", .0.display())]
    InUse(PathBuf),
    /// It cannot be made, read or cleared.
    #[error("cannot use the workspaces folder {}", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Workspaces {
    /// Opens the folder, and removes what builds of a former process left there.
    pub(crate) fn open(folder: &Path) -> Result<Self, WorkspacesError> {
        let unusable = |source| WorkspacesError::Unusable { path: folder.to_owned(), source };
        fs_err::create_dir_all(folder).map_err(unusable)?;
        let mut options = File::options();
        options.write(true).create(true).truncate(true);
        // Whoever may open it may hold it for ever.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = options.open(folder.join(".lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(WorkspacesError::InUse(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        // Only folders with the name of a deployment: nothing else here is ours.
        remove_leftovers(folder, |name| DeploymentId::parse(name).is_ok()).map_err(unusable)?;
        let folder = folder.to_owned();
        Ok(Self(Arc::new(Inner { folder, claimed: Mutex::default(), _lock: lock })))
    }

    /// Claims a deployment; `None` when a build of it is under way.
    pub(crate) fn claim(&self, id: &DeploymentId) -> Option<Claim> {
        let is_free = self.claimed().insert(id.clone());
        is_free.then(|| Claim { id: id.clone(), workspaces: self.clone() })
    }

    fn claimed(&self) -> MutexGuard<'_, BTreeSet<DeploymentId>> {
        self.0.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Makes the workspace of the deployment.
    pub(crate) fn open(self) -> io::Result<ScratchFolder> {
        let path = self.workspaces.0.folder.join(self.id.as_str());
        make_empty(&path)?;
        Ok(ScratchFolder(Arc::new(Scratch { path, _claim: Some(self) })))
    }
}

impl ScratchFolder {
    /// Makes a folder there.
    pub(crate) fn create(path: PathBuf) -> io::Result<Self> {
        make_empty(&path)?;
        Ok(Self(Arc::new(Scratch { path, _claim: None })))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }
}

fn make_empty(path: &Path) -> io::Result<()> {
    remove(path)?;
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.path) {
            tracing::warn!("a folder of a build stays until the next start: {error}");
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.workspaces.claimed().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(last: char) -> DeploymentId {
        DeploymentId::parse(&format!("5c0a1d9e-7a40-4a8e-9d7c-0242ac12000{last}")).expect("valid")
    }

    #[test]
    fn a_workspace_goes_with_its_last_holder() {
        let folder = tempfile::tempdir().expect("can be made");
        let workspaces = Workspaces::open(folder.path()).expect("opens");
        let workspace = workspaces.claim(&id('1')).expect("is free").open().expect("opens");
        let path = workspace.path().to_owned();
        std::fs::write(path.join("file"), "x").expect("can be written");
        assert!(workspaces.claim(&id('1')).is_none());
        assert!(workspaces.claim(&id('2')).is_some());
        let other = workspace.clone();
        drop(workspace);
        assert!(path.join("file").exists());
        drop(other);
        assert!(!path.exists());
        assert!(workspaces.claim(&id('1')).is_some());
    }

    #[test]
    fn leftovers_go_and_everything_else_stays() {
        let folder = tempfile::tempdir().expect("can be made");
        let leftover = folder.path().join(id('1').as_str());
        std::fs::create_dir_all(leftover.join("repo")).expect("can be made");
        std::fs::create_dir(folder.path().join("precious")).expect("can be made");
        let workspaces = Workspaces::open(folder.path()).expect("opens");
        assert!(!leftover.exists() && folder.path().join("precious").exists());
        let error = Workspaces::open(folder.path()).expect_err("is in use");
        assert!(error.to_string().contains("in use by another image-builder"));
        drop(workspaces);
        assert!(Workspaces::open(folder.path()).is_ok());
    }
}
