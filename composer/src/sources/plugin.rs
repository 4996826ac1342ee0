//! Reading the source of one plugin.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use racetrack_bundle::{Diagnostics, LoadOptions, Platform, PluginSource};
use racetrack_core::Hook;

use crate::declaration::{Declaration, PluginDeclaration};
use crate::plan::LoadedPlugin;
use crate::sources::implementation::implemented_hooks;

/// Reads the source of one plugin. Every mistake says where the plugin is declared.
pub fn load_plugin(
    plugin: &PluginDeclaration,
    declaration: &Declaration,
    platform: &Platform,
) -> Result<LoadedPlugin, Diagnostics> {
    let place = declaration.location_of(plugin);
    read_plugin(plugin, declaration, platform).map_err(|Diagnostics(found)| {
        Diagnostics(found.into_iter().map(|one| one.with_declaration(place.clone())).collect())
    })
}

fn read_plugin(
    plugin: &PluginDeclaration,
    declaration: &Declaration,
    platform: &Platform,
) -> Result<LoadedPlugin, Diagnostics> {
    // A plugin may name components that this declaration leaves out.
    let callers =
        Hook::catalogue().into_iter().flat_map(|hook| hook.components).map(|name| (*name).to_owned());
    let known_components: BTreeSet<_> =
        declaration.component_names().map(str::to_owned).chain(callers).collect();
    let options = LoadOptions {
        base: declaration.folder.clone(),
        allow_build_script: plugin.allow_build_script,
        known_components,
        shown_as: plugin.remote.as_ref().map(|_| PathBuf::from(&plugin.source)),
        platform: Some(platform.clone()),
    };
    let source = PluginSource::load(plugin.origin.clone(), &options)?;
    let shown = plugin.origin.path().strip_prefix(&declaration.folder);
    let shown = shown.map_or(plugin.source.as_str().into(), Path::to_string_lossy);
    let shown = options.shown_as.as_ref().map_or(shown, |shown| shown.to_string_lossy());
    let hooks = implemented_hooks(&source, &shown)?;
    Ok(LoadedPlugin { declaration: plugin.clone(), source, hooks })
}
