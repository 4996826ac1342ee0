//! `cargo xtask update`: accepts one plugin as it is now.

use racetrack_composer::session::Session;
use std::path::Path;

use anyhow::Result;
use racetrack_bundle::suggestion::suggestion;

use super::lock;
use crate::cli::UpdateArgs;
use racetrack_composer::lockfile::{self, Lock, LockedPlugin};
use racetrack_composer::sources::load::load;
use racetrack_composer::sources::selection::SelectionError;

/// Writes the lock with other entries for the plugin, and says what changed.
pub(crate) fn run(declaration: Option<&Path>, args: &UpdateArgs, session: &Session) -> Result<()> {
    let Some(name) = &args.plugin else {
        return lock::run(declaration, session);
    };
    let loaded = load(declaration, &[], session)?;
    let path = lockfile::path(&loaded.declaration);
    let former = lockfile::required(&loaded)?;
    let declared = Lock::of(&loaded).plugins;
    let known = |plugins: &[LockedPlugin]| plugins.iter().any(|plugin| plugin.name == *name);
    if !known(&declared) && !known(&former.plugins) {
        let names = declared.iter().map(|plugin| plugin.name.as_str());
        let help = suggestion(name, "plugins", names);
        return Err(SelectionError::UnknownPlugin { name: name.clone(), help }.into());
    }
    let updated = lockfile::update(&former, &loaded, name)?;
    lock::write(&updated, Some(&former), &path, session)
}
