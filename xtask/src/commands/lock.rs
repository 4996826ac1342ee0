//! `cargo xtask lock`: accepts what the declaration gives now.

use racetrack_composer::session::Session;
use std::path::Path;

use anyhow::Result;

use racetrack_composer::files::write_if_changed;
use racetrack_composer::lockfile::{self, Lock};
use racetrack_composer::quantity::counted;
use racetrack_composer::rejected::Rejected;
use racetrack_composer::shell::print_data;
use racetrack_composer::sources::load::load;

/// Writes the lock and says what changed.
pub(crate) fn run(declaration: Option<&Path>, session: &Session) -> Result<()> {
    let Session { checkout, shell } = session;
    let loaded = load(declaration, &[], session)?;
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
    write(&Lock::of(&loaded), former.as_ref(), &path, session)
}

/// Writes a lock, unless it is there already, and prints what changed since the former one.
pub(super) fn write(lock: &Lock, former: Option<&Lock>, path: &Path, session: &Session) -> Result<()> {
    let Session { checkout, shell } = session;
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
