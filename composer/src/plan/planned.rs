//! Components and plugins as they are planned.

use std::collections::BTreeMap;
use std::sync::Arc;

use racetrack_core::PluginManifest;

use super::constraint::Constraint;
use crate::declaration::ComponentDeclaration;

/// What each component is built from.
#[derive(Debug)]
pub struct BuildPlan {
    /// The components, sorted by name.
    pub components: Vec<PlannedComponent>,
    /// What the declaration says about the order of plugins within one priority.
    pub constraints: Vec<Constraint>,
}

/// One component binary.
#[derive(Debug)]
pub struct PlannedComponent {
    /// The component and its crate.
    pub declaration: ComponentDeclaration,
    /// Its plugins in hook order: by ascending (priority, position), where constraints refine the position. The order
    /// is that of all plugins of the declaration, so that components agree.
    pub plugins: Vec<Arc<PlannedPlugin>>,
}

/// One plugin, as every component that holds it sees it.
#[derive(Debug)]
pub struct PlannedPlugin {
    /// The checked plugin manifest; `components` are those the plugin is meant for after the declaration's narrowing.
    pub manifest: PluginManifest,
    /// The place of its table among all `[[plugin]]` tables, counted from 0.
    pub position: usize,
    /// The source as the declaration writes it.
    pub source: String,
    /// The line that declares it, such as `racetrack.toml:12`.
    pub declared_at: String,
    /// The digest of the source, hexadecimal.
    pub digest: String,
    /// The folder in generated workspaces, below `plugins/`. It holds the digest, so that no content is ever built
    /// under the folder name of another.
    pub folder: String,
    /// What generated code calls the crate.
    pub identifier: String,
    /// The crate's package.
    pub package: String,
    /// The hooks it implements, sorted by name.
    pub hooks: Vec<&'static str>,
    /// The files below `resources/`, sorted by path.
    pub resources: Vec<String>,
    /// Whether it is built from another source than the declared one.
    pub overridden: bool,
}

impl PlannedComponent {
    /// The plugins that implement each hook, in hook order; hooks that none implements are left out.
    pub fn hooks(&self) -> BTreeMap<&'static str, Vec<&PlannedPlugin>> {
        let mut hooks: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for plugin in &self.plugins {
            for hook in &plugin.hooks {
                hooks.entry(*hook).or_default().push(&**plugin);
            }
        }
        hooks
    }

    /// The plugin's place among those of this component in the order of the declaration, counted from 0: within one
    /// priority, the places of the tables are dealt out in hook order. Components carry this figure and sort by it, and
    /// a plugin of another component does not change it.
    pub fn rank(&self, plugin: &PlannedPlugin) -> usize {
        let peers = self.plugins.iter().filter(|other| other.manifest.priority == plugin.manifest.priority);
        let peers: Vec<_> = peers.map(|peer| peer.position).collect();
        let turn = peers.iter().take_while(|position| **position != plugin.position).count();
        let mut places = peers;
        places.sort_unstable();
        self.plugins.iter().filter(|other| other.position < places[turn]).count()
    }
}

impl PlannedPlugin {
    /// `name version`, as messages write it.
    pub fn title(&self) -> String {
        format!("`{}` {}", self.manifest.name, self.manifest.version)
    }
}

/// The package of the generated workspace. Its name is part of what cargo tells units apart by, so no two components
/// share it.
pub fn binary_package(component: &str) -> String {
    format!("racetrack-{component}-binary")
}
