//! The compilation of components by cargo, of sources that are watched meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::failure::explain;
use crate::cargo::{self, Compiled, Order};
use crate::fingerprint::{self, CompiledSources, SourceTree};
use crate::members::package_name;
use crate::prepare::{Described, Prepared, Site};
use crate::transcript::Transcript;
use crate::workspace;

/// What a compilation of several components has come to.
pub(super) struct Compilation<T> {
    /// Each component that was begun, with what was done with it. When all before it are well and it is not there, it was not begun.
    pub(super) components: Vec<Result<(CompiledComponent, T)>>,
    /// The sources, if every component was compiled, and none of them has changed meanwhile.
    pub(super) sources: Option<BTreeMap<String, SourceTree>>,
}

/// A component that cargo has compiled.
pub(super) struct CompiledComponent {
    /// What cargo has said of it.
    pub(super) compiled: Compiled,
    /// What it is made of.
    pub(super) described: Described,
}

/// The crates of the checkout that the components are made of, by their folders.
pub(super) fn all_members(prepared: &[Prepared<'_>]) -> BTreeSet<String> {
    prepared.iter().flat_map(Prepared::members).cloned().collect()
}

/// Compiles a component whose workspace is written, and leaves the binary where cargo has put it.
pub(crate) fn compile_alone(prepared: &Prepared<'_>, site: &Site<'_>) -> Result<PathBuf> {
    let trees = fingerprint::trees(prepared.members(), &site.checkout.root)?;
    let task = format!("Compiling component `{}`", prepared.name());
    let transcript = Transcript::new(vec![task], site.shell);
    let compilation = compile(&[prepared], trees, &transcript, site, |_, _| Ok(()))?;
    let component = compilation.components.into_iter().next().expect("the first one is begun");
    component.map(|(component, ())| component.compiled.binary)
}

/// Compiles components whose workspaces are written, from the sources `trees`. As soon as one is compiled, `then` is called with
/// its number, while others are compiled.
pub(super) fn compile<T: Send>(
    prepared: &[&Prepared<'_>],
    mut trees: BTreeMap<String, SourceTree>,
    transcript: &Transcript<'_>,
    site: &Site<'_>,
    then: impl Fn(usize, &CompiledComponent) -> Result<T> + Sync,
) -> Result<Compilation<T>> {
    let Site { options, checkout, shell, .. } = *site;
    let described =
        prepared.iter().map(|prepared| describe(prepared, site).with_context(|| not_built(prepared)));
    let described = described.collect::<Result<Vec<_>>>()?;
    let mut sources = CompiledSources::open(&checkout.build_dir(), &options.profile_name, options.target())?;
    cargo::wait_for_orphans(&checkout.build_dir(), shell)?;
    sources.complete(&mut trees)?;
    let mistaken = sources.mistaken(&trees);
    for prepared in prepared {
        let mistaken = mistaken.iter().filter(|member| prepared.members().contains(**member));
        forget(mistaken.copied(), prepared, site).with_context(|| not_built(prepared))?;
    }
    sources.begin(&trees)?;
    let orders: Vec<_> = prepared.iter().map(|prepared| order(prepared, site)).collect();
    let components = cargo::compile(&orders, options, checkout, shell, transcript, |number, compiled| {
        let (prepared, described) = (prepared[number], described[number].clone());
        let component = compiled
            .map_err(|error| explain(error, prepared.component, &prepared.folder, checkout))
            .and_then(|compiled| {
                described.crates.check(&compiled.packages)?;
                let component = CompiledComponent { compiled, described };
                let done = then(number, &component)?;
                Ok((component, done))
            });
        component.with_context(|| not_built(prepared))
    });
    let components: Vec<_> = components.into_iter().flatten().collect();
    let sources = if components.len() == prepared.len() && components.iter().all(Result::is_ok) {
        let compiled = components.iter().flatten().map(|(component, _)| &component.compiled);
        undisturbed(sources, &trees, prepared, compiled, site)?
    } else {
        None
    };
    Ok(Compilation { components, sources })
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

/// The sources after the compilation of all components, if they are the `given` ones.
fn undisturbed<'a>(
    sources: CompiledSources,
    given: &BTreeMap<String, SourceTree>,
    prepared: &[&Prepared<'_>],
    compiled: impl Iterator<Item = &'a Compiled>,
    site: &Site<'_>,
) -> Result<Option<BTreeMap<String, SourceTree>>> {
    let mut outside: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (compiled, prepared) in compiled.zip(prepared) {
        for (member, files) in fingerprint::outside(compiled, given, prepared, site)? {
            outside.entry(member).or_default().extend(files);
        }
    }
    let members = given.keys().cloned().collect();
    let now = fingerprint::trees(&members, &site.checkout.root)?;
    let is_undisturbed = sources.finish(given, now.clone(), &outside)?;
    Ok(is_undisturbed.then_some(now))
}
