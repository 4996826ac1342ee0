//! Which plugins a failed compilation comes from, by what cargo and the compilers said.
//!
//! A plugin is to blame for errors in its crates, for errors elsewhere that point into its sources or at its name in
//! generated code, for what the linker misses in it, and for crates that it depends on.

mod cargo_text;
mod culprits;
mod graph;
mod linker;
mod traces;

use std::sync::Arc;

use cargo_metadata::CompilerMessage;
use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel, DiagnosticSpan};

pub use culprits::Blame;
pub use graph::{CrateId, Graph};
use traces::{holds_folder, is_of, mentions, with_folder_in};

use crate::cargo::Complaints;
use crate::plan::PlannedPlugin;

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
    blame.sort();
    blame
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
