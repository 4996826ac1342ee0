//! Vendoring a declaration.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use super::making::{Contents, make};
use super::place::{move_to, place};
use crate::build::with_locked_workspaces;
use crate::plan::Loaded;
use crate::session::Session;
use crate::sources::load::load;

/// A vendor folder that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vendored {
    /// Where it is, absolute.
    pub folder: PathBuf,
    /// What it holds.
    pub contents: Contents,
}

/// Makes the folder `given`, or makes it anew. Nothing is half-made: it is filled elsewhere and moved to its place.
pub fn vendor(declaration: Option<&Path>, given: &Path, session: &Session) -> Result<Vendored> {
    let loaded = load(declaration, &[], session)?;
    let folder = place(given, &loaded.declaration, &session.checkout)?;
    // What is built from the folder is built frozen, so the lock must hold now.
    let contents = with_locked_workspaces(loaded, session, |loaded, _| fill(loaded, &folder, session))?;
    Ok(Vendored { folder, contents })
}

fn fill(loaded: &Loaded, folder: &Path, session: &Session) -> Result<Contents> {
    let name = folder.file_name().context("a folder has a name")?.to_string_lossy();
    let temporary = folder.with_file_name(format!(".{name}.{}", std::process::id()));
    fs::create_dir_all(&temporary)?;
    let made =
        make(loaded, &temporary, session).and_then(|contents| move_to(&temporary, folder).map(|()| contents));
    if made.is_err() {
        // The failure is reported; a folder that is left behind is the lesser evil.
        let _ = fs::remove_dir_all(&temporary);
    }
    made.with_context(|| format!("cannot vendor into {}", session.checkout.display(folder)))
}
