//! `cargo xtask lock`: accepts what the declaration gives now.

use std::path::Path;

use anyhow::Result;

use crate::checkout::Checkout;
use crate::cli::OverrideArgs;
use crate::load::{Rejected, load};
use crate::lockfile::{self, Lock};
use crate::output::write_if_changed;
use crate::quantity::counted;
use crate::shell::{Shell, print_data};

/// Writes the lock and says what changed.
pub(crate) fn run(declaration: Option<&Path>, checkout: &Checkout, shell: &Shell) -> Result<()> {
    let loaded = load(declaration, &OverrideArgs::default(), checkout, shell)?;
    let path = lockfile::path(&loaded.declaration);
    let former = match lockfile::read(&loaded.declaration) {
        Ok(former) => former,
        // A lock with merge conflicts in it is what this command is there for.
        Err(error) if error.is::<Rejected>() => {
            shell.warn(format_args!("{} could not be read and is written anew", checkout.display(&path)));
            None
        }
        Err(error) => return Err(error),
    };
    // Accepted all the same: whoever locks has the last word.
    for change in former.iter().flat_map(|former| lockfile::line_ending_changes(&loaded, former)) {
        shell.warn(change);
    }
    write(&Lock::of(&loaded), former.as_ref(), &path, checkout, shell)
}

/// Writes a lock, unless it is there already, and prints what changed since the former one.
pub(super) fn write(
    lock: &Lock,
    former: Option<&Lock>,
    path: &Path,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<()> {
    if !write_if_changed(path, lock.text().as_bytes())? {
        shell.status("Fresh", checkout.display(path));
        return Ok(());
    }
    if let Some(former) = former {
        print_data(&lock.changes_since(former))?;
    }
    let (plugins, components) =
        (counted(lock.plugins.len(), "plugin"), counted(lock.components.len(), "component"));
    shell.status("Locking", format_args!("{} with {plugins} for {components}", checkout.display(path)));
    Ok(())
}
