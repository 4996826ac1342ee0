//! The generated workspace of a component on disk: where it is, and what is put into it.

use std::path::PathBuf;

use anyhow::Result;

use crate::checkout::Checkout;
use crate::declaration::Declaration;
use crate::description::Embedded;
use crate::plan::PlannedComponent;
use crate::workspace::generate::{
    CheckoutManifest, Frame, GeneratedFile, GeneratedLink, GeneratedWorkspace, generate,
};
use crate::workspace::members::{needed_members, outermost};
use crate::workspace::output;

/// The folder of the generated workspace of a component.
pub fn folder(declaration: &Declaration, component: &str) -> PathBuf {
    declaration.state().join(component)
}

/// The folder of the finished artefacts of a component. Private to it: cargo overwrites them with whatever was built
/// last.
pub fn target_dir(declaration: &Declaration, component: &str) -> PathBuf {
    declaration.state().join("target").join(component)
}

/// What the workspace of a component is made of.
pub fn assemble(component: &PlannedComponent, frame: &Frame<'_>, checkout: &Checkout) -> GeneratedWorkspace {
    let files: Vec<GeneratedFile> = generate(component, frame);
    let crates = outermost(frame.members).into_iter();
    let crates =
        crates.map(|member| GeneratedLink { path: member.to_owned(), target: checkout.root.join(member) });
    let plugins = component.plugins.iter().map(|plugin| GeneratedLink {
        path: format!("plugins/{}", plugin.folder),
        // Folders are built from a copy in the store as well: exactly the files that were checked and digested.
        target: checkout.store().join(&plugin.folder),
    });
    GeneratedWorkspace { links: crates.chain(plugins).collect(), files }
}

/// How the generated files of a component on disk differ from what the declaration gives, as a diff; nothing when they do
/// not. What the binary says about itself follows from a build, so it is taken as it is.
pub fn difference(
    component: &PlannedComponent,
    declaration: &Declaration,
    manifest: &CheckoutManifest,
    checkout: &Checkout,
) -> Result<Option<String>> {
    let folder = folder(declaration, &component.declaration.name);
    let members = needed_members(&checkout.root, &component.declaration.member)?;
    let description = Embedded::load(&folder).map(|embedded| embedded.digest());
    let frame = Frame {
        checkout: manifest,
        members: &members,
        profiles: &declaration.profiles,
        description: description.as_deref(),
    };
    Ok(output::difference(&assemble(component, &frame, checkout).files, &folder))
}
