//! The generated workspace of a component with everything that its binary is to say about itself.
//!
//! The crates follow from the generated manifest and the lock, and are part of the self-description, whose digest is part
//! of the manifest. So a workspace whose crates are not known is first written without, which is enough to ask for them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};
use fs_err as fs;

use crate::cargo::CompileOptions;
use crate::checkout::Checkout;
use crate::crates::{self, CrateSet};
use crate::declaration::Declaration;
use crate::description::{Embedded, describe};
use crate::generate::{CheckoutManifest, Frame, GeneratedWorkspace, crate_manifest};
use crate::members::needed_members;
use crate::plan::PlannedComponent;
use crate::shell::Shell;
use crate::{leak, lock, output, workspace};

/// What every component of a build is prepared with.
pub(crate) struct Site<'a> {
    /// The declaration.
    pub(crate) declaration: &'a Declaration,
    /// The Cargo.toml of the checkout.
    pub(crate) manifest: &'a CheckoutManifest,
    /// How to build.
    pub(crate) options: &'a CompileOptions,
    /// The checkout.
    pub(crate) checkout: &'a Checkout,
    /// Where progress is told.
    pub(crate) shell: &'a Shell,
}

/// A component whose workspace is written.
#[derive(Clone)]
pub(crate) struct Prepared<'a> {
    /// The component.
    pub(crate) component: &'a PlannedComponent,
    /// Whether everything is as the lock of the declaration has it.
    pub(crate) locked: bool,
    /// Its generated workspace.
    pub(crate) folder: PathBuf,
    /// What is known from an earlier build.
    pub(crate) known: Option<Described>,
    members: BTreeSet<String>,
}

/// What the binary is made of, and what it says about that.
#[derive(Clone)]
pub(crate) struct Described {
    /// The crates.
    pub(crate) crates: CrateSet,
    /// The bytes of its sections.
    pub(crate) embedded: Embedded,
}

/// Writes the workspace of a component, complete if its crates are known from an earlier build.
pub(crate) fn prepare<'a>(
    component: &'a PlannedComponent,
    locked: bool,
    site: &Site<'_>,
) -> Result<Prepared<'a>> {
    leak::check_sources(&component.plugins, site.checkout)?;
    let name = &component.declaration.name;
    let folder = workspace::folder(site.declaration, name);
    let committed = lock::committed_path(&site.declaration.folder, name);
    lock::copy_in(&committed, &site.checkout.root, &folder, site.options.locked)?;
    let members = needed_members(&site.checkout.root, &component.declaration.member)?;
    let mut prepared = Prepared { component, locked, folder, known: None, members };
    let cache = cache_path(site, name);
    prepared.known = crates::load(&cache, &prepared.key(site)?, &prepared.plugin_folders())
        .map(|crates| prepared.with_crates(crates, site));
    let changed = prepared.write(prepared.known.as_ref().map(|known| &known.embedded), site)?;
    if changed > 0 {
        site.shell.status("Generating", site.checkout.display(&prepared.folder));
    }
    Ok(prepared)
}

impl Prepared<'_> {
    /// Completes the workspace with the crates that cargo has told, and keeps them for the next build.
    pub(crate) fn complete(&self, crates: CrateSet, site: &Site<'_>) -> Result<Described> {
        // Cargo may have changed the lock, so the key is another one than before.
        let cache = cache_path(site, self.name());
        let described =
            self.with_crates(crates::store(&cache, self.key(site)?, self.plugin_folders(), crates)?, site);
        self.write(Some(&described.embedded), site)?;
        Ok(described)
    }

    /// The same, once it is known what it is made of.
    pub(crate) fn known_as(&self, described: Described) -> Self {
        Self { known: Some(described), ..self.clone() }
    }

    /// The name of the component.
    pub(crate) fn name(&self) -> &str {
        &self.component.declaration.name
    }

    /// The crates of the checkout that it is made of, by their folders.
    pub(crate) const fn members(&self) -> &BTreeSet<String> {
        &self.members
    }

    /// The parts of its workspace that decide the bytes of the binary, by what people call them.
    pub(crate) fn parts(&self, site: &Site<'_>) -> Vec<(String, Vec<u8>)> {
        let embedded = self.known.as_ref().map(|known| &known.embedded);
        let assembled = self.assemble(embedded.map(Embedded::digest).as_deref(), site);
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

    fn with_crates(&self, crates: CrateSet, site: &Site<'_>) -> Described {
        let embedded = describe(self.component, site.options, &crates, self.locked);
        Described { crates, embedded }
    }

    fn key(&self, site: &Site<'_>) -> Result<String> {
        let manifest = crate_manifest(self.component, &self.frame(None, site));
        let lock = fs::read(self.folder.join("Cargo.lock")).unwrap_or_default();
        let root = &site.checkout.root;
        let members = self.members.iter().map(|member| (member.clone(), root.join(member)));
        let store = site.checkout.store();
        let plugins = self.component.plugins.iter();
        let plugins = plugins.map(|plugin| (plugin.identifier.clone(), store.join(&plugin.folder)));
        let folders: BTreeMap<_, _> = members.chain(plugins).collect();
        crates::key(&manifest, &lock, &folders, site.options.target())
    }

    /// The folder of each plugin in the store, by its identifier.
    fn plugin_folders(&self) -> BTreeMap<String, String> {
        let plugins = self.component.plugins.iter();
        plugins.map(|plugin| (plugin.identifier.clone(), plugin.folder.clone())).collect()
    }

    fn frame<'a>(&'a self, description: Option<&'a str>, site: &Site<'a>) -> Frame<'a> {
        Frame {
            checkout: site.manifest,
            members: &self.members,
            profiles: &site.declaration.profiles,
            description,
        }
    }

    fn assemble(&self, description: Option<&str>, site: &Site<'_>) -> GeneratedWorkspace {
        workspace::assemble(self.component, &self.frame(description, site), site.checkout)
    }

    /// Returns how many files and links had to be changed.
    fn write(&self, embedded: Option<&Embedded>, site: &Site<'_>) -> Result<usize> {
        let digest = embedded.map(Embedded::digest);
        let assembled = self.assemble(digest.as_deref(), site);
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
fn cache_path(site: &Site<'_>, component: &str) -> PathBuf {
    workspace::target_dir(site.declaration, component).join("racetrack-crates.json")
}
