//! The generated workspace of a component with everything that its binary is to say about itself.
//!
//! The crates follow from the generated manifest and the lock, and are part of the self-description, whose digest is part
//! of the manifest. So a workspace whose crates are not known is first written without, which is enough to ask for them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};
use fs_err as fs;

use crate::cargo::CompileOptions;
use crate::cargo::crates::{self, CrateSet};
use crate::cargo::leak;
use crate::checkout::Checkout;
use crate::declaration::Declaration;
use crate::description::{Embedded, describe};
use crate::lockfile::Admitted;
use crate::plan::PlannedComponent;
use crate::session::Session;
use crate::shell::Shell;
use crate::workspace::assemble as workspace;
use crate::workspace::cargo_lock as lock;
use crate::workspace::generate::{CheckoutManifest, Frame, GeneratedWorkspace, crate_manifest};
use crate::workspace::members::needed_members;
use crate::workspace::output;

/// What every component of a build is prepared and compiled with. There is none without an admission, so nothing else is
/// compiled.
pub struct BuildContext<'a> {
    /// What is built.
    pub admitted: &'a Admitted,
    /// The Cargo.toml of the checkout.
    pub manifest: &'a CheckoutManifest,
    /// How to build.
    pub options: &'a CompileOptions,
    /// The checkout, and where progress is reported.
    pub session: &'a Session,
}

impl<'a> BuildContext<'a> {
    /// The declaration.
    pub const fn declaration(&self) -> &'a Declaration {
        self.admitted.declaration()
    }

    /// The checkout.
    pub const fn checkout(&self) -> &'a Checkout {
        &self.session.checkout
    }

    /// Where progress is reported.
    pub const fn shell(&self) -> &'a Shell {
        &self.session.shell
    }
}

/// A component whose workspace is written.
#[derive(Clone)]
pub struct Prepared<'a> {
    /// The component.
    pub component: &'a PlannedComponent,
    /// Whether everything is as the lock of the declaration has it.
    pub locked: bool,
    /// Its generated workspace.
    pub folder: PathBuf,
    /// What is known from an earlier build.
    pub known: Option<Described>,
    members: BTreeSet<String>,
}

/// What the binary is made of, and what it says about that.
#[derive(Clone)]
pub struct Described {
    /// The crates.
    pub crates: CrateSet,
    /// The bytes of its sections.
    pub embedded: Embedded,
}

/// Writes the generated workspaces of components, and removes those of components that the declaration no longer has.
pub fn prepare_all<'a>(
    components: &[&'a PlannedComponent],
    context: &BuildContext<'_>,
) -> Result<Vec<Prepared<'a>>> {
    let known: Vec<_> = context.declaration().component_names().collect();
    for stale in output::remove_stale(&context.declaration().state(), &known)? {
        let shell = context.shell();
        shell.status("Removing", format_args!("component `{stale}`, which is no longer declared"));
    }
    let prepare =
        |component: &&'a PlannedComponent| prepare(component, context.admitted.is_locked(component), context);
    components.iter().map(prepare).collect()
}

/// Writes the workspace of a component, complete if its crates are known from an earlier build.
pub fn prepare<'a>(
    component: &'a PlannedComponent,
    locked: bool,
    context: &BuildContext<'_>,
) -> Result<Prepared<'a>> {
    leak::check_sources(&component.plugins, context.checkout())?;
    let name = &component.declaration.name;
    let folder = workspace::folder(context.declaration(), name);
    let committed = lock::committed_path(&context.declaration().folder, name);
    lock::copy_in(&committed, &context.checkout().root, &folder, context.options.locked)?;
    let members = needed_members(&context.checkout().root, &component.declaration.member)?;
    let mut prepared = Prepared { component, locked, folder, known: None, members };
    let cache = cache_path(context, name);
    prepared.known = crates::load(&cache, &prepared.key(context)?, &prepared.plugin_folders())
        .map(|crates| prepared.with_crates(crates, context));
    let changed = prepared.write(prepared.known.as_ref().map(|known| &known.embedded), context)?;
    if changed > 0 {
        context.shell().status("Generating", context.checkout().display(&prepared.folder));
    }
    Ok(prepared)
}

impl Prepared<'_> {
    /// Completes the workspace with the crates that cargo has told, and keeps them for the next build.
    pub fn complete(&self, crates: CrateSet, context: &BuildContext<'_>) -> Result<Described> {
        // Cargo may have changed the lock, so the key is another one than before.
        let cache = cache_path(context, self.name());
        let described = self
            .with_crates(crates::store(&cache, self.key(context)?, self.plugin_folders(), crates)?, context);
        self.write(Some(&described.embedded), context)?;
        Ok(described)
    }

    /// The same, once it is known what it is made of.
    #[must_use]
    pub fn known_as(&self, described: Described) -> Self {
        Self { known: Some(described), ..self.clone() }
    }

    /// The name of the component.
    pub fn name(&self) -> &str {
        &self.component.declaration.name
    }

    /// The crates of the checkout that it is made of, by their folders.
    pub const fn members(&self) -> &BTreeSet<String> {
        &self.members
    }

    /// The parts of its workspace that decide the bytes of the binary, by what people call them.
    pub fn parts(&self, context: &BuildContext<'_>) -> Vec<(String, Vec<u8>)> {
        let embedded = self.known.as_ref().map(|known| &known.embedded);
        let assembled = self.assemble(embedded.map(Embedded::digest).as_deref(), context);
        let mut parts: Vec<_> = assembled
            .files
            .into_iter()
            .map(|file| (format!("generated {}", file.path), file.text.into_bytes()))
            .collect();
        for plugin in &self.component.plugins {
            parts.push((format!("plugin {}", plugin.title()), plugin.folder.as_bytes().to_owned()));
        }
        for link in assembled.links.iter().filter(|link| !link.path.starts_with("plugins/")) {
            let target = link.target.as_os_str().as_encoded_bytes().to_owned();
            parts.push((format!("link {}", link.path), target));
        }
        let lock = fs::read(self.folder.join("Cargo.lock")).unwrap_or_default();
        parts.push((format!("locks/{}.lock", self.name()), lock));
        parts
    }

    fn with_crates(&self, crates: CrateSet, context: &BuildContext<'_>) -> Described {
        let embedded = describe(self.component, context.options, &crates, self.locked);
        Described { crates, embedded }
    }

    fn key(&self, context: &BuildContext<'_>) -> Result<String> {
        let manifest = crate_manifest(self.component, &self.frame(None, context));
        let lock = fs::read(self.folder.join("Cargo.lock")).unwrap_or_default();
        let root = &context.checkout().root;
        let members = self.members.iter().map(|member| (member.clone(), root.join(member)));
        let store = context.checkout().store();
        let plugins = self.component.plugins.iter();
        let plugins = plugins.map(|plugin| (plugin.identifier.clone(), store.join(&plugin.folder)));
        let folders: BTreeMap<_, _> = members.chain(plugins).collect();
        crates::key(&manifest, &lock, &folders, context.options.target())
    }

    /// The folder of each plugin in the store, by its identifier.
    fn plugin_folders(&self) -> BTreeMap<String, String> {
        let plugins = self.component.plugins.iter();
        plugins.map(|plugin| (plugin.identifier.clone(), plugin.folder.clone())).collect()
    }

    fn frame<'a>(&'a self, description: Option<&'a str>, context: &BuildContext<'a>) -> Frame<'a> {
        Frame {
            checkout: context.manifest,
            members: &self.members,
            profiles: &context.declaration().profiles,
            description,
        }
    }

    fn assemble(&self, description: Option<&str>, context: &BuildContext<'_>) -> GeneratedWorkspace {
        workspace::assemble(self.component, &self.frame(description, context), context.checkout())
    }

    /// Returns how many files and links had to be changed.
    fn write(&self, embedded: Option<&Embedded>, context: &BuildContext<'_>) -> Result<usize> {
        let digest = embedded.map(Embedded::digest);
        let assembled = self.assemble(digest.as_deref(), context);
        let name = self.name();
        let context = || format!("cannot generate `{name}`");
        let changed = output::write(&assembled, &self.folder).with_context(context)?;
        let described = match embedded {
            Some(embedded) => embedded.write(&self.folder),
            None => Embedded::remove(&self.folder),
        };
        Ok(changed + described.with_context(context)?)
    }
}

/// Beside the artefacts, which go when the component does.
fn cache_path(context: &BuildContext<'_>, component: &str) -> PathBuf {
    workspace::target_dir(context.declaration(), component).join("racetrack-crates.json")
}
