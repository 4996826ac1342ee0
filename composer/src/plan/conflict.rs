//! Plugins that do not fit together, whatever component holds them.

use std::collections::HashMap;

use racetrack_bundle::Diagnostics;
use racetrack_core::{Category, PluginManifest};

use super::loaded_plugin::LoadedPlugin;
use crate::codes;
use crate::declaration::Declaration;

/// One plugin may come in several versions, unless it brings infrastructure targets.
pub(super) fn check_versions(
    declaration: &Declaration,
    plugins: &[LoadedPlugin],
    diagnostics: &mut Diagnostics,
) {
    let mut seen: Vec<&LoadedPlugin> = Vec::new();
    for plugin in plugins {
        let manifest = &plugin.source.manifest;
        let earlier: Vec<_> =
            seen.iter().filter(|other| other.source.manifest.name == manifest.name).collect();
        let same_version = earlier.iter().find(|other| other.source.manifest.version == manifest.version);
        let brings_targets = |manifest: &PluginManifest| manifest.category == Some(Category::Infrastructure);
        let place = plugin.declaration.place.clone();
        if let Some(other) = same_version {
            let message = format!(
                "plugin `{}` {} is declared twice: by `{}` at {} and by `{}` here",
                manifest.name,
                manifest.version,
                other.declaration.source,
                declaration.line_of(&other.declaration),
                plugin.declaration.source
            );
            let help = "remove one of the two tables, or give one source another version";
            let diagnostic = declaration.document.diagnostic(codes::DUPLICATE_PLUGIN, place, message);
            diagnostics.push(diagnostic.with_help(help));
        } else if let Some(other) =
            earlier.iter().find(|other| brings_targets(manifest) || brings_targets(&other.source.manifest))
        {
            let message = format!(
                "infrastructure plugin `{0}` is declared in two versions, which would claim the same jobs: {1} at {2} and {3} here",
                manifest.name,
                other.source.manifest.version,
                declaration.line_of(&other.declaration),
                manifest.version
            );
            let diagnostic = declaration.document.diagnostic(codes::INFRASTRUCTURE_VERSIONS, place, message);
            diagnostics.push(diagnostic.with_help("keep one of the two versions"));
        }
        seen.push(plugin);
    }
}

pub(super) fn check_identifiers(
    declaration: &Declaration,
    plugins: &[LoadedPlugin],
    diagnostics: &mut Diagnostics,
) {
    let mut owners: HashMap<String, &LoadedPlugin> = HashMap::new();
    for plugin in plugins {
        let manifest = &plugin.source.manifest;
        let identifier = identifier(manifest);
        let Some(owner) = owners.insert(identifier.clone(), plugin) else {
            continue;
        };
        let other = &owner.source.manifest;
        if (&other.name, &other.version) == (&manifest.name, &manifest.version) {
            continue;
        }
        let message = format!(
            "plugins `{}` {} and `{}` {} would both be called `{identifier}` in generated code",
            other.name, other.version, manifest.name, manifest.version
        );
        let help = "rename one of the two, or give it another version";
        let place = plugin.declaration.place.clone();
        let diagnostic = declaration.document.diagnostic(codes::IDENTIFIER_CLASH, place, message);
        diagnostics.push(diagnostic.with_help(help));
    }
}

/// What generated code calls the crate of a plugin.
pub(super) fn identifier(manifest: &PluginManifest) -> String {
    let text = format!("plugin_{}_{}", manifest.name, manifest.version);
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
