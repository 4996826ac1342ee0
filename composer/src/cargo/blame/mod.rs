//! Which plugins a failed compilation comes from, by what cargo and the compilers said.
//!
//! A plugin is to blame for errors in its crates, for errors elsewhere that point into its sources or at its name in
//! generated code, for what the linker misses in it, and for crates that it depends on.

mod cargo_text;
mod graph;
mod linker;

use std::sync::Arc;

use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel, DiagnosticSpan};
use cargo_metadata::{CompilerMessage, PackageId};

pub use graph::{CrateId, Graph};

use crate::cargo::{Complaints, name_and_version};
use crate::plan::PlannedPlugin;

/// Where errors come from.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Blame {
    /// Indexes of plugins with errors of their own, ascending.
    plugins: Vec<usize>,
    /// Crates with errors that plugins have brought in, and the indexes of those plugins.
    dependencies: Vec<(CrateId, Vec<usize>)>,
}

/// Finds out where the errors come from. `plugins` are those of the component.
pub fn blame(complaints: &Complaints, plugins: &[Arc<PlannedPlugin>], graph: &Graph) -> Blame {
    let mut blame = Blame::default();
    let errors = complaints.messages.iter().filter(|error| is_error(&error.message));
    for error in errors.clone() {
        let own = own(error, plugins);
        if !own.is_empty() {
            blame.add_plugins(own);
        } else if let Some(found) = graph.external().find(|external| is_of(&error.package_id, external)) {
            blame.add_dependency(found, plugins, graph);
        } else if linker::is_linker_error(&error.message) {
            linker::blame(&error.message, &complaints.build_scripts, plugins, graph, &mut blame);
        }
    }
    cargo_text::blame(&complaints.output, errors.count() > 0, plugins, graph, &mut blame);
    blame.plugins.sort_unstable();
    blame
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

    fn add_plugins(&mut self, plugins: impl IntoIterator<Item = usize>) {
        for plugin in plugins {
            if !self.plugins.contains(&plugin) {
                self.plugins.push(plugin);
            }
        }
    }

    fn add_dependency(&mut self, external: &CrateId, plugins: &[Arc<PlannedPlugin>], graph: &Graph) {
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

fn is_error(message: &Diagnostic) -> bool {
    matches!(message.level, DiagnosticLevel::Error | DiagnosticLevel::Ice)
}

/// The plugins whose crate this is, whose sources it points into, or whose name in generated code it points at.
fn own(error: &CompilerMessage, plugins: &[Arc<PlannedPlugin>]) -> Vec<usize> {
    let in_crate = with_folder_in(&error.package_id.repr, plugins);
    if !in_crate.is_empty() {
        return in_crate;
    }
    let spans = error.message.spans.iter().filter(|span| span.is_primary);
    let points_at = |plugin: &PlannedPlugin| {
        spans.clone().any(|span| holds_folder(&span.file_name, plugin) || is_named(span, &plugin.identifier))
    };
    (0..plugins.len()).filter(|index| points_at(&plugins[*index])).collect()
}

/// Whether the text under the span holds the identifier.
fn is_named(span: &DiagnosticSpan, identifier: &str) -> bool {
    span.text.iter().any(|line| mentions(&line.text, identifier))
}

fn with_folder_in(text: &str, plugins: &[Arc<PlannedPlugin>]) -> Vec<usize> {
    (0..plugins.len()).filter(|index| holds_folder(text, &plugins[*index])).collect()
}

/// Whether a path or address leads to the crate of the plugin. The folder ends with a digest, so no other one begins
/// alike.
fn holds_folder(text: &str, plugin: &PlannedPlugin) -> bool {
    text.contains(&format!("plugins/{}", plugin.folder))
}

/// Whether a package id is that of the crate.
fn is_of(id: &PackageId, external: &CrateId) -> bool {
    let is_external = !id.repr.starts_with("path+");
    let titled = |(name, version)| name == external.name && version == external.version;
    is_external && name_and_version(&id.repr).is_some_and(titled)
}

/// Whether a word is in the text, with no character of an identifier on either side.
fn mentions(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(start, _)| {
        !text[..start].ends_with(is_part) && !text[start + word.len()..].starts_with(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_ids_name_their_crate() {
        let external = |name: &str| CrateId {
            name: name.to_owned(),
            version: "0.5.1".to_owned(),
            source: Some("registry".to_owned()),
        };
        let id = |repr: &str| PackageId { repr: repr.to_owned() };
        assert!(is_of(&id("registry+https://index#bs58@0.5.1"), &external("bs58")));
        assert!(is_of(&id("registry+https://host/bs58#0.5.1"), &external("bs58")));
        assert!(!is_of(&id("registry+https://index#bs58@0.5.10"), &external("bs58")));
        assert!(!is_of(&id("path+file:///plugins/bs58#0.5.1"), &external("bs58")));
    }

    #[test]
    fn words_are_whole() {
        assert!(mentions("&plugin_a_1_0_0::X", "plugin_a_1_0_0"));
        assert!(!mentions("&plugin_plugin_a_1_0_0::X", "plugin_a_1_0_0"));
        assert!(!mentions("&plugin_a_1_0_0_rc1::X", "plugin_a_1_0_0"));
    }
}
