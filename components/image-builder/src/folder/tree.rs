//! Folders as a whole: copied, and made read-only.

use std::io;
use std::path::Path;

/// Copies a folder whose symbolic links stay inside it. Of the modes, only whether a file can be executed is kept.
pub(crate) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs_err::create_dir(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&source, &target)?;
        } else if kind.is_symlink() {
            copy_link(&source, &target)?;
        } else {
            fs_err::copy(&source, &target)?;
            set_mode(&target, if is_executable(&source)? { 0o755 } else { 0o644 })?;
        }
    }
    Ok(())
}

/// Makes every file read-only. Folders stay writable for their owner, who could not remove them otherwise.
pub(crate) fn make_read_only(folder: &Path) -> io::Result<()> {
    set_mode(folder, 0o755)?;
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            make_read_only(&path)?;
        } else if kind.is_file() {
            set_mode(&path, if is_executable(&path)? { 0o555 } else { 0o444 })?;
        }
    }
    Ok(())
}

/// How many bytes the files in the folder have.
pub(crate) fn size(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            bytes += size(&entry.path())?;
        } else if kind.is_file() {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}

/// Whether anybody may execute the file.
#[cfg(unix)]
pub(crate) fn is_executable(path: &Path) -> io::Result<bool> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs_err::symlink_metadata(path)?.permissions());
    Ok(mode & 0o111 != 0)
}

/// Whether anybody may execute the file; nothing says so here.
#[cfg(not(unix))]
pub(crate) fn is_executable(_: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(unix)]
fn copy_link(source: &Path, target: &Path) -> io::Result<()> {
    fs_err::os::unix::fs::symlink(fs_err::read_link(source)?, target)
}

#[cfg(not(unix))]
fn copy_link(source: &Path, target: &Path) -> io::Result<()> {
    if source.is_dir() { copy(source, target) } else { fs_err::copy(source, target).map(drop) }
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs_err::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}
