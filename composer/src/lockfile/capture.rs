//! The lock that a loaded declaration gives.

use std::collections::BTreeMap;

use racetrack_bundle::Origin;

use super::{Lock, LockedComponent, LockedPlugin, Toolchain};
use crate::declaration::PluginDeclaration;
use crate::plan::Loaded;
use crate::plan::{LoadedPlugin, PlannedComponent, PlannedPlugin};
use crate::remote::{BundleAddress, RemoteSource};

impl Lock {
    /// What a lock would say now.
    pub fn of(loaded: &Loaded) -> Self {
        Self {
            toolchain: Toolchain::current(),
            plugins: loaded.plugins.iter().map(plugin).collect(),
            components: loaded
                .plan
                .components
                .iter()
                .map(|planned| component(planned, &BTreeMap::new()))
                .collect(),
        }
    }
}

/// The component as the plan has it, but for the content of plugins whose digest is given by their title.
pub(super) fn component(component: &PlannedComponent, digests: &BTreeMap<String, String>) -> LockedComponent {
    let titles = |plugins: &[&PlannedPlugin]| plugins.iter().map(|plugin| title(plugin)).collect();
    let hooks = component.hooks().into_iter();
    LockedComponent {
        name: component.declaration.name.clone(),
        package: component.declaration.package.clone(),
        path: component.declaration.member.clone(),
        plan: plan_digest(component, digests),
        plugins: component.plugins.iter().map(|plugin| title(plugin)).collect(),
        hooks: hooks.map(|(hook, plugins)| (hook.to_owned(), titles(&plugins))).collect(),
    }
}

/// The plan digest of a component, hexadecimal; `digests` replaces the content digests of plugins by their title.
fn plan_digest(component: &PlannedComponent, digests: &BTreeMap<String, String>) -> String {
    let plugins: Vec<_> = component
        .plugins
        .iter()
        .map(|plugin| {
            let manifest = &plugin.manifest;
            let digest = digests.get(&title(plugin)).unwrap_or(&plugin.digest);
            let (name, version) = (manifest.name.as_str(), manifest.version.as_str());
            (name, version, manifest.priority, component.rank(plugin), &manifest.components, digest)
        })
        .collect();
    let declaration = &component.declaration;
    let content = (1, &declaration.name, &declaration.package, &declaration.member, plugins);
    let json = serde_json::to_vec(&content).expect("texts and numbers can be written as JSON");
    blake3::hash(&json).to_hex().to_string()
}

fn title(plugin: &PlannedPlugin) -> String {
    format!("{} {}", plugin.manifest.name, plugin.manifest.version)
}

fn plugin(plugin: &LoadedPlugin) -> LockedPlugin {
    let manifest = &plugin.source.manifest;
    let narrowed = plugin.declaration.components.as_ref();
    let narrowed = narrowed.map(|names| names.iter().map(|(name, _)| name.clone()).collect());
    LockedPlugin {
        name: manifest.name.to_string(),
        version: manifest.version.to_string(),
        source: source(&plugin.declaration),
        digest: plugin.source.digest.clone(),
        sha256: plugin.source.archive_digest.clone(),
        priority: manifest.priority,
        components: narrowed.unwrap_or_else(|| manifest.components.clone()),
        hooks: plugin.hooks.iter().map(|hook| (*hook).to_owned()).collect(),
        allow_build_script: plugin.declaration.allow_build_script,
    }
}

fn source(declaration: &PluginDeclaration) -> String {
    let kind = match (&declaration.remote, &declaration.origin) {
        (Some(RemoteSource::Bundle { address: BundleAddress::Url(_), .. }), _) => "url",
        (Some(RemoteSource::Bundle { address: BundleAddress::Release(_), .. }), _) => "release",
        // The text of a commit says so itself.
        (Some(RemoteSource::Commit { .. }), _) => return declaration.source.replacen(' ', ":", 1),
        (None, Origin::Folder(_)) => "path",
        (None, Origin::Zip(_)) => "zip",
    };
    format!("{kind}:{}", declaration.source)
}
