//! The generated workspace of a component as text. Pure: everything was decided by the plan.

mod header;
mod main_rs;
mod manifest;

use std::path::PathBuf;

use crate::plan::PlannedComponent;

pub use header::HEADER;
pub use manifest::{CheckoutManifest, Frame};

/// A generated workspace: one package with the binary, and links to the crates it is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedWorkspace {
    /// The files, by path relative to the workspace.
    pub files: Vec<GeneratedFile>,
    /// The links, by path relative to the workspace.
    pub links: Vec<GeneratedLink>,
}

/// A file of a generated workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Relative to the workspace, with `/` between its parts.
    pub path: String,
    /// The whole content.
    pub text: String,
}

/// A crate that is reached through a link: cargo hashes the location of a crate outside of the workspace into every
/// symbol, so the binaries of two checkouts would differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedLink {
    /// Relative to the workspace, with `/` between its parts.
    pub path: String,
    /// The folder it leads to, absolute.
    pub target: PathBuf,
}

/// The files of the workspace of one component.
pub fn generate(component: &PlannedComponent, frame: &Frame<'_>) -> Vec<GeneratedFile> {
    let main_rs = main_rs::generate(component);
    let manifest = manifest::generate(component, frame, &plan_digest(&main_rs, component, frame.description));
    vec![
        GeneratedFile { path: "Cargo.toml".to_owned(), text: manifest },
        GeneratedFile { path: "src/main.rs".to_owned(), text: main_rs },
    ]
}

/// The manifest as far as the crates of the component follow from it: the same whatever the code of its plugins is.
pub fn crate_manifest(component: &PlannedComponent, frame: &Frame<'_>) -> String {
    let mut text = manifest::generate(component, frame, "");
    for plugin in &component.plugins {
        text = text.replace(&plugin.folder, &plugin.identifier);
    }
    text
}

/// Tells apart the mains that declarations of one checkout build in one folder of intermediate artefacts.
fn plan_digest(main_rs: &str, component: &PlannedComponent, description: Option<&str>) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(main_rs.as_bytes());
    hasher.update(component.declaration.member.as_bytes());
    for plugin in &component.plugins {
        hasher.update(plugin.folder.as_bytes());
    }
    hasher.update(description.unwrap_or_default().as_bytes());
    hasher.finalize().to_hex()[..12].to_owned()
}
