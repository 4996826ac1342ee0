//! The folder that vendoring fills.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use crate::checkout::Checkout;
use crate::declaration::{Declaration, OutDirRefusal, check_out_dir, normal};
use crate::vendor_folder::Record;

/// A folder that cannot be filled without losing something.
#[derive(Debug, thiserror::Error)]
#[error("cannot vendor into `{path}`, which {reason}")]
pub struct PlaceError {
    /// The path given.
    pub path: String,
    /// Why it cannot be filled.
    pub reason: String,
}

/// The folder to fill, absolute: it must not exist, or be empty, or have been made by us.
pub(super) fn place(given: &Path, declaration: &Declaration, checkout: &Checkout) -> Result<PathBuf> {
    let folder = normal(&std::path::absolute(given).context("cannot find the current folder")?);
    let refused = |reason: String| PlaceError { path: given.display().to_string(), reason };
    check_out_dir(&folder, declaration, checkout).map_err(|refusal| {
        refused(match refusal {
            OutDirRefusal::Holds { held } => format!("holds `{held}`"),
            OutDirRefusal::Inside { owner } => format!("is in `{owner}`"),
        })
    })?;
    let is_free = match fs::read_dir(&folder) {
        Ok(mut entries) => entries.next().is_none() || folder.join(Record::FILE_NAME).is_file(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if !is_free {
        return Err(refused("is something else than a vendor folder".to_owned()).into());
    }
    Ok(folder)
}

/// Puts a folder in the place of another one, which is removed when nothing can go wrong any more.
pub(super) fn move_to(temporary: &Path, folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(fs::rename(temporary, folder)?);
    }
    let former = temporary.with_added_extension("former");
    fs::rename(folder, &former)?;
    if let Err(error) = fs::rename(temporary, folder) {
        fs::rename(&former, folder).with_context(|| format!("what was there is now {}", former.display()))?;
        return Err(error.into());
    }
    Ok(fs::remove_dir_all(former)?)
}
