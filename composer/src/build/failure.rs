//! Which plugin a failed compilation comes from.

use std::path::Path;

use anyhow::anyhow;
use fs_err as fs;

use crate::cargo::CompileError;
use crate::cargo::blame::{Graph, blame};
use crate::checkout::Checkout;
use crate::plan::PlannedComponent;
use crate::workspace::cargo_lock as lock;

/// Says which plugin a failure comes from; cargo has said the rest.
pub(super) fn explain(
    error: CompileError,
    component: &PlannedComponent,
    folder: &Path,
    checkout: &Checkout,
) -> anyhow::Error {
    let CompileError::Failed(complaints) = &error else {
        return error.into();
    };
    if complaints.output.contains("--locked was passed") {
        let name = &component.declaration.name;
        return anyhow!(
            "{}/{name}.lock does not hold what the Cargo.toml of a crate asks for now; build once without `--locked`, read \
             what changed in that file, and commit it",
            lock::FOLDER
        );
    }
    // A build that fails early leaves no lock, and then no crate of a registry is to blame either.
    let graph = Graph::of_lock(&fs::read_to_string(folder.join("Cargo.lock")).unwrap_or_default());
    match blame(complaints, &component.plugins, &graph).describe(&component.plugins) {
        Some(blamed) => anyhow!("the errors above come from {blamed}"),
        None => anyhow!(
            "the errors above are about the workspace {}, not about a plugin",
            checkout.display(folder)
        ),
    }
}
