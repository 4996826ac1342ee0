//! `cargo xtask update`: accepts one plugin as it is now.

use std::path::Path;

use anyhow::Result;
use racetrack_bundle::suggestion::suggestion;

use super::{UsageError, lock};
use crate::checkout::Checkout;
use crate::cli::{OverrideArgs, UpdateArgs};
use crate::load::load;
use crate::lockfile::{self, Lock, LockedPlugin};
use crate::shell::Shell;

/// Writes the lock with other entries for the plugin, and says what changed.
pub(crate) fn run(
    declaration: Option<&Path>,
    args: &UpdateArgs,
    checkout: &Checkout,
    shell: &Shell,
) -> Result<()> {
    let Some(name) = &args.plugin else {
        return lock::run(declaration, checkout, shell);
    };
    let loaded = load(declaration, &OverrideArgs::default(), checkout, shell)?;
    let path = lockfile::path(&loaded.declaration);
    let former = lockfile::required(&loaded)?;
    let declared = Lock::of(&loaded).plugins;
    let known = |plugins: &[LockedPlugin]| plugins.iter().any(|plugin| plugin.name == *name);
    if !known(&declared) && !known(&former.plugins) {
        let names = declared.iter().map(|plugin| plugin.name.as_str());
        let help = suggestion(name, "plugins", names);
        return Err(UsageError::UnknownPlugin { name: name.clone(), help }.into());
    }
    let updated = lockfile::update(&former, &loaded, name)?;
    lock::write(&updated, Some(&former), &path, checkout, shell)
}
