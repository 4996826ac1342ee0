//! The files of build logs: which there are, and their removal.

use std::io;
use std::path::Path;

use crate::build_log;
use crate::folder::removal::RemovalCounts;
use crate::identifier::DeploymentId;
use crate::workspace::Workspaces;

/// The deployments that there are logs of.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<DeploymentId>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let name = entry?.file_name();
        // Nothing else here is ours.
        found.extend(name.to_str().and_then(build_log::deployment_of));
    }
    Ok(found)
}

/// Removes the logs of these deployments, but of none that is being built.
pub(crate) fn remove(folder: &Path, workspaces: &Workspaces, deployments: &[DeploymentId]) -> RemovalCounts {
    let mut removed = RemovalCounts::default();
    for id in deployments {
        let Some(_claim) = workspaces.claim(id) else { continue };
        let path = build_log::path(folder, id);
        let gone = fs_err::metadata(&path).and_then(|file| fs_err::remove_file(&path).map(|()| file.len()));
        match gone {
            Ok(bytes) => {
                removed.count += 1;
                removed.bytes += bytes;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => removed.fail("cannot remove a build log", &error),
        }
    }
    removed
}
