//! One module per command.

pub(crate) mod completions;
pub(crate) mod plugin_bundle;
pub(crate) mod plugin_check;
pub(crate) mod plugin_new;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use racetrack_bundle::{Diagnostics, Origin, PluginSource};

use crate::output::Rejected;

/// The checked plugin at `path`, a folder or a bundle.
fn load(path: &Path) -> Result<PluginSource> {
    let absolute = std::path::absolute(path).with_context(|| format!("cannot find `{}`", path.display()))?;
    let is_file = fs_err::metadata(&absolute).is_ok_and(|metadata| metadata.is_file());
    let origin = if is_file { Origin::Zip(absolute) } else { Origin::Folder(absolute) };
    Ok(PluginSource::load_undeclared(origin, &current_folder()?).map_err(Rejected)?)
}

/// What the paths in diagnostics are relative to.
fn current_folder() -> Result<PathBuf> {
    std::env::current_dir().context("cannot find the current folder")
}

impl From<Diagnostics> for Rejected {
    fn from(diagnostics: Diagnostics) -> Self {
        Self(diagnostics)
    }
}
