//! The compilation of components by cargo, of sources that are watched meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::failure::explain;
use crate::cargo::{self, Compiled, Order};
use crate::fingerprint::{self, CompiledSources, SourceTree};
use crate::members::package_name;
use crate::prepare::{Described, Prepared, Site};
use crate::shell::Reported;
use crate::transcript::Transcript;
use crate::workspace;

/// What a compilation of several components has come to, if all are well.
pub(super) struct Compilation<T> {
    /// What was done with each component.
    pub(super) components: Vec<T>,
    /// The sources that cargo was given.
    pub(super) sources: GivenSources,
    /// The crates of which something was touched meanwhile: another state of them may have been compiled.
    pub(super) touched: BTreeSet<String>,
}

/// The sources of crates of the checkout, as cargo is given them.
pub(super) struct GivenSources {
    /// By the folders of the crates, with the files outside that are known to be read for them.
    pub(super) trees: BTreeMap<String, SourceTree>,
    /// The digest of each crate.
    pub(super) digests: BTreeMap<String, String>,
}

/// A component that cargo has compiled.
pub(super) struct CompiledComponent {
    /// What cargo has said of it.
    pub(super) compiled: Compiled,
    /// What it is made of.
    pub(super) described: Described,
}

/// The crates of the checkout that the components are made of, by their folders.
pub(super) fn all_members<'a>(prepared: impl IntoIterator<Item = &'a Prepared<'a>>) -> BTreeSet<String> {
    prepared.into_iter().flat_map(Prepared::members).cloned().collect()
}

/// Compiles a component whose workspace is written, and leaves the binary where cargo has put it.
pub(crate) fn compile_alone(prepared: &Prepared<'_>, site: &Site<'_>) -> Result<PathBuf> {
    let transcript = Transcript::new(vec![task(prepared)], site.shell);
    let binary = |_, compiled: CompiledComponent, _: &GivenSources| Ok(compiled.compiled.binary);
    let compilation = compile(&[prepared], &transcript, site, binary)?;
    Ok(compilation.components.into_iter().next().expect("one was compiled"))
}

/// What is done, while it is done.
pub(super) fn task(prepared: &Prepared<'_>) -> String {
    format!("Compiling component `{}`", prepared.name())
}

/// Compiles components whose workspaces are written. As soon as one is compiled, `then` is called with its number, while others
/// are compiled. What is said of a component, its failure as well, is said by the speaker of its number.
pub(super) fn compile<T: Send>(
    prepared: &[&Prepared<'_>],
    transcript: &Transcript<'_>,
    site: &Site<'_>,
    then: impl Fn(usize, CompiledComponent, &GivenSources) -> Result<T> + Sync,
) -> Result<Compilation<T>> {
    let Site { options, checkout, shell, .. } = *site;
    let described =
        prepared.iter().map(|prepared| describe(prepared, site).with_context(|| not_built(prepared)));
    let described = described.collect::<Result<Vec<_>>>()?;
    let build_dir = checkout.build_dir();
    let mut note = CompiledSources::open(&build_dir, &options.profile_name, options.target(), shell)?;
    cargo::wait_for_orphans(&build_dir, shell)?;
    // Not before: others may have compiled meanwhile.
    let sources = give(prepared, &mut note, site)?;
    let orders: Vec<_> = prepared.iter().map(|prepared| order(prepared, site)).collect();
    let outcomes = cargo::compile(&orders, options, checkout, shell, transcript, |number, compiled| {
        let (prepared, described) = (prepared[number], described[number].clone());
        let done = compiled
            .map_err(|error| explain(error, prepared.component, &prepared.folder, checkout))
            .and_then(|compiled| {
                described.crates.check(&compiled.packages)?;
                let outside = fingerprint::outside(&compiled, &sources.trees, prepared, site)?;
                Ok((then(number, CompiledComponent { compiled, described }, &sources)?, outside))
            });
        done.with_context(|| not_built(prepared)).map_err(|error| transcript.speaker(number).error(&error))
    });
    // Where one was not begun, another one has failed.
    let all: Option<Vec<_>> = outcomes.into_iter().map(|outcome| outcome?.ok()).collect();
    let (components, outside): (_, Vec<_>) = all.ok_or(Reported)?.into_iter().unzip();
    let touched = end(note, &sources, outside, site)?;
    Ok(Compilation { components, sources, touched })
}

/// The sources, after cargo was made to compile anew what it would mistake for unchanged.
fn give(prepared: &[&Prepared<'_>], note: &mut CompiledSources, site: &Site<'_>) -> Result<GivenSources> {
    let members = all_members(prepared.iter().copied());
    let mut trees = fingerprint::trees(&members, &site.checkout.root)?;
    let digests = fingerprint::digests(&trees);
    note.complete(&mut trees)?;
    let mistaken = note.mistaken(&trees);
    for prepared in prepared {
        let mistaken = mistaken.iter().filter(|member| prepared.members().contains(**member));
        forget(mistaken.copied(), prepared, site).with_context(|| not_built(prepared))?;
    }
    note.begin(&trees)?;
    Ok(GivenSources { trees, digests })
}

/// Notes that all components are compiled. Returns the crates of which something was touched meanwhile; `outside` are the files
/// outside of each crate that were read for it.
fn end(
    note: CompiledSources,
    given: &GivenSources,
    outside: Vec<BTreeMap<String, BTreeSet<PathBuf>>>,
    site: &Site<'_>,
) -> Result<BTreeSet<String>> {
    let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (member, files) in outside.into_iter().flatten() {
        all.entry(member).or_default().extend(files);
    }
    let members = given.trees.keys().cloned().collect();
    note.finish(&given.trees, fingerprint::trees(&members, &site.checkout.root)?, &all)
}

fn not_built(prepared: &Prepared<'_>) -> String {
    format!("component `{}` was not built", prepared.name())
}

fn describe(prepared: &Prepared<'_>, site: &Site<'_>) -> Result<Described> {
    if let Some(known) = prepared.known.clone() {
        return Ok(known);
    }
    let Site { options, checkout, shell, .. } = *site;
    let Order { folder, target_dir, .. } = order(prepared, site);
    let crates = cargo::crates(folder, &target_dir, options, checkout, shell)
        .map_err(|error| explain(error, prepared.component, folder, checkout))?;
    prepared.complete(crates, site)
}

/// Has cargo compile crates anew of which it does not see that they have changed.
fn forget<'a>(
    members: impl Iterator<Item = &'a str>,
    prepared: &Prepared<'_>,
    site: &Site<'_>,
) -> Result<()> {
    let Site { options, checkout, shell, .. } = *site;
    let packages = members.map(|member| package_name(&checkout.root, member));
    let packages = packages.collect::<Result<BTreeSet<_>>>()?;
    if packages.is_empty() {
        return Ok(());
    }
    let Order { folder, target_dir, .. } = order(prepared, site);
    cargo::forget(&packages, folder, &target_dir, options, checkout, shell)
        .map_err(|error| explain(error, prepared.component, folder, checkout))
}

fn order<'a>(prepared: &'a Prepared<'_>, site: &Site<'_>) -> Order<'a> {
    let component = prepared.name();
    let target_dir = workspace::target_dir(site.declaration, component);
    Order { component, folder: &prepared.folder, target_dir }
}
