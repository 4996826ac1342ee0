//! The plan of a component as scripts read it: what `plan --format json` prints of it, and what its binary says about
//! itself.

use std::collections::BTreeMap;

use racetrack_core::Hook;
use racetrack_core::hook::Reach;
use serde::{Deserialize, Serialize};

use crate::plan::{PlannedComponent, PlannedPlugin};

/// A component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentView {
    /// The package of the component's library crate.
    pub package: String,
    /// The plugins in hook order.
    pub plugins: Vec<PluginView>,
    /// For each hook that some plugin implements, whom it reaches in order.
    pub hooks: BTreeMap<String, Vec<CallView>>,
}

/// A plugin of a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginView {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
    /// Lower comes first.
    pub priority: i64,
    /// The place among the plugins of this component in the order of the declaration, counted from 0.
    pub position: usize,
    /// The category, where the manifest has one.
    pub category: Option<String>,
    /// The source as the declaration writes it.
    pub source: String,
    /// The digest of the source, hexadecimal.
    pub digest: String,
    /// The hooks it implements, sorted by name.
    pub hooks: Vec<String>,
}

/// A plugin that a hook reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallView {
    /// The name.
    pub name: String,
    /// The version.
    pub version: String,
}

impl ComponentView {
    /// The view of a planned component.
    pub fn of(component: &PlannedComponent) -> Self {
        let hooks = component
            .hooks()
            .into_iter()
            .map(|(hook, plugins)| (hook.to_owned(), plugins.into_iter().map(CallView::of).collect()));
        let plugins = component.plugins.iter();
        Self {
            package: component.declaration.package.clone(),
            plugins: plugins.map(|plugin| PluginView::of(plugin, component.rank(plugin))).collect(),
            hooks: hooks.collect(),
        }
    }
}

impl PluginView {
    fn of(plugin: &PlannedPlugin, position: usize) -> Self {
        Self {
            name: plugin.manifest.name.to_string(),
            version: plugin.manifest.version.to_string(),
            priority: plugin.manifest.priority,
            position,
            category: plugin.manifest.category.map(|category| category.as_str().to_owned()),
            source: plugin.source.clone(),
            digest: plugin.digest.clone(),
            hooks: plugin.hooks.iter().map(|hook| (*hook).to_owned()).collect(),
        }
    }
}

impl CallView {
    fn of(plugin: &PlannedPlugin) -> Self {
        Self { name: plugin.manifest.name.to_string(), version: plugin.manifest.version.to_string() }
    }
}

/// The plugins that a hook reaches, as people read them: `a -> b`, or `one of: a, b` where each occasion is for one of them.
pub fn calls_text(hook: &str, titles: &[String]) -> String {
    let reach = Hook::named(hook).map(|hook| hook.descriptor().reach);
    match reach {
        Some(Reach::OnePlugin) if titles.len() > 1 => format!("one of: {}", titles.join(", ")),
        _ => titles.join(" -> "),
    }
}

#[cfg(test)]
pub mod tests {
    use std::sync::Arc;

    use racetrack_core::PluginManifest;

    use super::*;
    use crate::declaration::ComponentDeclaration;

    /// The component `a` with one plugin, whose table is the fourth of the declaration.
    pub fn component() -> PlannedComponent {
        let mut manifest = PluginManifest::new("one".parse().unwrap(), "1.0.0".parse().unwrap());
        manifest.priority = -1;
        let plugin = PlannedPlugin {
            manifest,
            position: 3,
            source: "plugins/one".to_owned(),
            declared_at: "racetrack.toml:12".to_owned(),
            digest: "ab".repeat(32),
            folder: "one-1.0.0-abc".to_owned(),
            identifier: "plugin_one_1_0_0".to_owned(),
            package: "one".to_owned(),
            hooks: vec!["job_types", "run_action"],
            resources: Vec::new(),
            overridden: false,
        };
        PlannedComponent {
            declaration: ComponentDeclaration {
                name: "a".to_owned(),
                package: "package-a".to_owned(),
                member: "components/a".to_owned(),
            },
            plugins: vec![Arc::new(plugin)],
        }
    }

    #[test]
    fn hooks_that_one_plugin_answers_have_no_order() {
        let titles = ["a 1.0.0", "b 1.0.0"].map(str::to_owned);
        assert_eq!(calls_text("job_types", &titles), "a 1.0.0 -> b 1.0.0");
        assert_eq!(calls_text("run_action", &titles), "one of: a 1.0.0, b 1.0.0");
        assert_eq!(calls_text("run_action", &titles[..1]), "a 1.0.0");
        assert_eq!(calls_text("of_a_newer_core", &titles), "a 1.0.0 -> b 1.0.0");
    }

    #[test]
    fn plugins_of_other_components_do_not_count() {
        let view = ComponentView::of(&component());
        assert_eq!(view.plugins[0].position, 0);
        assert_eq!(view.hooks["run_action"][0].name, "one");
    }
}
