//! The plugin that a command is about.

use std::path::{Path, PathBuf};

use racetrack_bundle::{Origin, PluginSource};

use crate::failure::Failure;

/// The checked plugin at `path`, a folder or a bundle.
pub(crate) fn load(path: &Path) -> Result<PluginSource, Failure> {
    let absolute =
        std::path::absolute(path).map_err(|source| Failure::Path { path: path.to_owned(), source })?;
    let is_file = fs_err::metadata(&absolute).is_ok_and(|metadata| metadata.is_file());
    let origin = if is_file { Origin::Zip(absolute) } else { Origin::Folder(absolute) };
    PluginSource::load_undeclared(origin, &current_folder()?).map_err(Failure::Rejected)
}

/// What the paths in diagnostics are relative to.
pub(crate) fn current_folder() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(Failure::CurrentFolder)
}
