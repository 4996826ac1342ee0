//! What a source and its files are called in diagnostics.

use std::path::{Path, PathBuf};

/// What people see of a source: `plugins/x` and `plugins/x/src/lib.rs`, or `x.zip` and `x.zip!/src/lib.rs`.
#[derive(Clone, Debug)]
pub(crate) struct SourceLabel {
    root: PathBuf,
    /// What stands before a file's path; empty for the files of a folder.
    entry_prefix: Option<String>,
}

impl SourceLabel {
    /// A folder, seen from the folder `base`.
    pub(crate) fn folder(folder: &Path, base: &Path) -> Self {
        Self { root: seen_from(folder, base), entry_prefix: None }
    }

    /// A ZIP bundle, seen from the folder `base`.
    pub(crate) fn archive(archive: &Path, base: &Path) -> Self {
        let root = seen_from(archive, base);
        let entry_prefix = Some(format!("{}!/", root.display()));
        Self { root, entry_prefix }
    }

    /// The same archive, for files whose common top-level folder was stripped.
    pub(crate) fn inside(mut self, folder: &str) -> Self {
        if let Some(prefix) = &mut self.entry_prefix {
            prefix.push_str(folder);
        }
        self
    }

    /// The source as a whole.
    pub(crate) fn root(&self) -> &Path {
        if self.root.as_os_str().is_empty() { Path::new(".") } else { &self.root }
    }

    /// One of its files.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        match &self.entry_prefix {
            Some(prefix) => PathBuf::from(format!("{prefix}{path}")),
            None => self.root.join(path),
        }
    }
}

fn seen_from(path: &Path, base: &Path) -> PathBuf {
    path.strip_prefix(base).unwrap_or(path).to_owned()
}
