//! The plugins and crates that errors come from.

use std::sync::Arc;

use super::graph::{CrateId, Graph};
use crate::plan::PlannedPlugin;

/// Where errors come from.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Blame {
    /// Indexes of plugins with errors of their own, ascending.
    plugins: Vec<usize>,
    /// Crates with errors that plugins have brought in, and the indexes of those plugins.
    dependencies: Vec<(CrateId, Vec<usize>)>,
}

impl Blame {
    /// `plugin …, and from …`, to stand behind `the errors above come from`; nothing if no plugin is to blame.
    pub fn describe(&self, plugins: &[Arc<PlannedPlugin>]) -> Option<String> {
        let mut parts = Vec::new();
        if !self.plugins.is_empty() {
            parts.push(titles(&self.plugins, plugins));
        }
        for (external, through) in &self.dependencies {
            let verb = if through.len() == 1 { "depends" } else { "depend" };
            let titles = titles(through, plugins);
            parts.push(format!("`{}` {}, on which {titles} {verb}", external.name, external.version));
        }
        (!parts.is_empty()).then(|| parts.join("; and from "))
    }

    /// Puts the plugins in the order of their indexes.
    pub(super) fn sort(&mut self) {
        self.plugins.sort_unstable();
    }

    pub(super) fn add_plugins(&mut self, plugins: impl IntoIterator<Item = usize>) {
        for plugin in plugins {
            if !self.plugins.contains(&plugin) {
                self.plugins.push(plugin);
            }
        }
    }

    pub(super) fn add_dependency(
        &mut self,
        external: &CrateId,
        plugins: &[Arc<PlannedPlugin>],
        graph: &Graph,
    ) {
        if self.dependencies.iter().any(|(known, _)| known == external) {
            return;
        }
        let leads_to = |index: &usize| graph.plugin_leads_to(&plugins[*index], external);
        let through: Vec<_> = (0..plugins.len()).filter(leads_to).collect();
        if !through.is_empty() {
            self.dependencies.push((external.clone(), through));
        }
    }
}

fn titles(indexes: &[usize], plugins: &[Arc<PlannedPlugin>]) -> String {
    let title = |index: &usize| {
        let plugin = &plugins[*index];
        format!("plugin {} ({}, declared at {})", plugin.title(), plugin.source, plugin.declared_at)
    };
    indexes.iter().map(title).collect::<Vec<_>>().join(", ")
}
