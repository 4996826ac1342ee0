//! Plugins in the store: unpacked, and marked as used.

use anyhow::{Context, Result};
use racetrack_bundle::{Origin, PluginSource};

use super::store_use;
use crate::plan::Loaded;
use crate::remote::RemoteSource;
use crate::session::Session;

/// Puts every plugin into the store. A plugin that is there already is compared, and unpacked again if somebody has changed
/// it.
pub fn unpack(loaded: &Loaded, session: &Session) -> Result<()> {
    let Session { checkout, shell } = session;
    let store = checkout.store();
    let is_new = |source: &PluginSource| {
        matches!(source.origin, Origin::Zip(_)) && !store.join(source.store_name()).exists()
    };
    let progress = shell.progress("Unpacking", loaded.plugins.len());
    for plugin in &loaded.plugins {
        if progress.is_hidden() && is_new(&plugin.source) {
            shell.status("Unpacking", &plugin.declaration.source);
        }
        progress.set_message(plugin.declaration.source.clone());
        let unpacked = plugin.source.unpack_into(&store);
        unpacked.with_context(|| format!("cannot unpack {}", plugin.declaration.source))?;
        store_use::mark(&store, &plugin.source.store_name())?;
        for entry in plugin.declaration.remote.iter().flat_map(RemoteSource::store_entries) {
            store_use::mark(&store, &entry)?;
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(())
}
