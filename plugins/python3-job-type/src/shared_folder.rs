//! Folders of the cache that lifecycle's user may read, whatever the umask: jobs run from them, as that user.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// What everybody may do with folders and programs: enter, list, read and start, but not write.
const OPEN: u32 = 0o755;

/// Makes a folder and those above it that are missing, so that everybody may enter them. Those that are there stay as they
/// are.
pub(crate) fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make(parent)?;
    }
    match DirBuilder::new().mode(OPEN).create(folder) {
        // Another build was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        made => made?,
    }
    // The umask has a say when a folder is made, not here.
    fs::set_permissions(folder, Permissions::from_mode(OPEN))
}

/// Makes an empty file that everybody may read.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    let file = File::create(path)?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    Ok(file)
}

/// Lets everybody read all that is in the folder, and start what its owner may start. Nobody else may change any of it.
pub(crate) fn open_to_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            open_to_all(&entry.path())?;
        } else if kind.is_file() {
            let mode = entry.metadata()?.permissions().mode();
            set(&entry.path(), mode, if mode & 0o100 == 0 { 0o644 } else { OPEN })?;
        }
    }
    // Last, so that whoever finds the folder open finds everything in it open.
    set(folder, fs::metadata(folder)?.permissions().mode(), OPEN)
}

/// Whether everybody may enter and list the folder.
pub(crate) fn is_open(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().mode() & 0o005 == 0o005)
}

fn set(path: &Path, mode: u32, wanted: u32) -> io::Result<()> {
    if mode & 0o777 == wanted { Ok(()) } else { fs::set_permissions(path, Permissions::from_mode(wanted)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("is there").permissions().mode() & 0o777
    }

    #[test]
    fn what_is_made_is_open_and_what_was_there_stays() {
        let root = tempfile::tempdir().expect("a folder");
        fs::set_permissions(root.path(), Permissions::from_mode(0o700)).expect("is ours");
        let folder = root.path().join("a/b");
        make(&folder).expect("can be made");
        assert_eq!((mode(root.path()), mode(&root.path().join("a")), mode(&folder)), (0o700, 0o755, 0o755));
        fs::set_permissions(&folder, Permissions::from_mode(0o700)).expect("is ours");
        make(&folder).expect("is there");
        assert!(mode(&folder) == 0o700 && !is_open(&folder));
    }

    #[test]
    fn everything_in_a_folder_is_opened_to_all_and_to_be_changed_by_none() {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir(root.path().join("bin")).expect("can be made");
        for (path, before) in [("bin/python", 0o700), ("module.py", 0o600), ("shared.so", 0o666)] {
            fs::write(root.path().join(path), "").expect("can be written");
            fs::set_permissions(root.path().join(path), Permissions::from_mode(before)).expect("is ours");
        }
        std::os::unix::fs::symlink("/no/such/file", root.path().join("link")).expect("can be linked");
        fs::set_permissions(root.path().join("bin"), Permissions::from_mode(0o777)).expect("is ours");
        open_to_all(root.path()).expect("is ours");
        let modes =
            ["", "bin", "bin/python", "module.py", "shared.so"].map(|path| mode(&root.path().join(path)));
        assert_eq!(modes, [0o755, 0o755, 0o755, 0o644, 0o644]);
    }
}
