//! Symbolic links in the source of a job: they may point to other parts of it, and nowhere else.

use std::io;
use std::path::{Path, PathBuf};

/// Why the source of a job is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("the symbolic link `{}` points to `{}`, which is outside the folder of the job, or missing", path.display(), target.display())]
    Leaves { path: PathBuf, target: PathBuf },
    #[error("`{}` is neither a file nor a folder nor a symbolic link", .0.display())]
    Special(PathBuf),
    #[error("cannot read the source of the job")]
    Read(#[from] io::Error),
}

/// Checks every symbolic link in the folder.
pub(crate) fn check(folder: &Path) -> Result<(), LinkError> {
    let root = fs_err::canonicalize(folder)?;
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let relative = || path.strip_prefix(&root).unwrap_or(&path).to_owned();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() {
                let target = fs_err::read_link(&path)?;
                // Where it leads is asked of the system: `..` behind another link is not what it seems.
                let stays = path.canonicalize().is_ok_and(|end| end.starts_with(&root));
                if target.is_absolute() || !stays {
                    return Err(LinkError::Leaves { path: relative(), target });
                }
            } else if !kind.is_file() {
                return Err(LinkError::Special(relative()));
            }
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn check_link(target: &str) -> Result<(), LinkError> {
        let folder = tempfile::tempdir().expect("can be made");
        let job = folder.path().join("job");
        std::fs::create_dir_all(job.join("sub/deep")).expect("can be made");
        std::fs::write(job.join("sub/file"), "x").expect("can be written");
        std::fs::write(folder.path().join("secret"), "x").expect("can be written");
        symlink("sub/deep", job.join("down")).expect("can be made");
        symlink(".", job.join("here")).expect("can be made");
        symlink(target, job.join("link")).expect("can be made");
        check(&job)
    }

    #[test]
    fn links_inside_are_taken() {
        for target in ["sub/file", "./sub", "sub/../sub/file", "down/../file"] {
            assert!(check_link(target).is_ok(), "{target}");
        }
    }

    #[test]
    fn links_that_leave_are_refused() {
        for target in ["../secret", "/etc/passwd", "..", "missing", "here/../secret", "link"] {
            let error = check_link(target).expect_err(target).to_string();
            assert!(error.starts_with("the symbolic link `link` points to"), "{error}");
        }
    }

    #[test]
    fn special_files_are_refused() {
        let folder = tempfile::tempdir().expect("can be made");
        let _listener = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).expect("binds");
        assert!(matches!(check(folder.path()), Err(LinkError::Special(path)) if path == Path::new("socket")));
    }
}
