//! Paths in the folder of a job: they come from manifests, and must not lead out of the folder.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Why a file of a job cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobPathError {
    /// It is not there.
    #[error("the job has no file `{path}`")]
    Missing { path: String, source: io::Error },
    /// It is no file.
    #[error("`{path}` is no file")]
    NoFile { path: String },
    /// A link leads out of the job.
    #[error("`{path}` leads out of the folder of the job")]
    Outside { path: String },
}

/// Whether the path is relative, without `..`, and would not be taken for an option.
pub(crate) fn is_inside(path: &str) -> bool {
    let parts = Path::new(path).components();
    !path.is_empty() && !path.starts_with('-') && parts.into_iter().all(is_plain) && !path.contains('\0')
}

/// The file, with all links resolved; `job` is the folder of the job with all links resolved.
pub(crate) fn resolve(job: &Path, path: &str) -> Result<PathBuf, JobPathError> {
    let outside = || JobPathError::Outside { path: path.to_owned() };
    if Path::new(path).is_absolute() {
        return Err(outside());
    }
    let resolved = job.join(path).canonicalize();
    let resolved = resolved.map_err(|source| JobPathError::Missing { path: path.to_owned(), source })?;
    if !resolved.starts_with(job) {
        return Err(outside());
    }
    if !resolved.is_file() {
        return Err(JobPathError::NoFile { path: path.to_owned() });
    }
    Ok(resolved)
}

fn is_plain(part: Component<'_>) -> bool {
    matches!(part, Component::Normal(_) | Component::CurDir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_manifests_stay_inside() {
        for path in ["adder.py", "src/adder.py", "./adder.py", "ünïcode dir/a.py"] {
            assert!(is_inside(path), "{path}");
        }
        for path in ["", "/etc/passwd", "../a.py", "a/../../b.py", "-x.py"] {
            assert!(!is_inside(path), "{path}");
        }
    }

    #[test]
    fn links_do_not_lead_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let job = folder.path().canonicalize().expect("is there").join("job");
        std::fs::create_dir(&job).expect("can be made");
        std::fs::write(folder.path().join("secret"), "").expect("can be written");
        std::fs::write(job.join("a.txt"), "").expect("can be written");
        std::os::unix::fs::symlink("a.txt", job.join("inside")).expect("can be linked");
        std::os::unix::fs::symlink("../secret", job.join("outside")).expect("can be linked");
        assert_eq!(resolve(&job, "inside").expect("stays inside"), job.join("a.txt"));
        let message = |path: &str| resolve(&job, path).expect_err(path).to_string();
        assert_eq!(message("outside"), "`outside` leads out of the folder of the job");
        assert_eq!(message("../secret"), "`../secret` leads out of the folder of the job");
        assert_eq!(message("."), "`.` is no file");
        assert_eq!(message("b.txt"), "the job has no file `b.txt`");
    }
}
