//! The compilation of components by cargo, of sources that are watched meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::failure::explain;
use crate::cargo::{self, BuildOutput, Order};
use crate::fingerprint::{self, CompiledSources, SourceTree};
use crate::shell::Reported;
use crate::transcript::Transcript;
use crate::workspace::assemble as workspace;
use crate::workspace::members::package_name;
use crate::workspace::prepare::{BuildContext, Described, Prepared};

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
pub(super) struct Compiled {
    /// What cargo has built.
    pub(super) output: BuildOutput,
    /// What it is made of.
    pub(super) described: Described,
}

/// The crates of the checkout that the components are made of, by their folders.
pub(super) fn all_members<'a>(prepared: impl IntoIterator<Item = &'a Prepared<'a>>) -> BTreeSet<String> {
    prepared.into_iter().flat_map(Prepared::members).cloned().collect()
}

/// Compiles a component whose workspace is written, and leaves the binary where cargo has put it.
pub fn compile_alone(prepared: &Prepared<'_>, context: &BuildContext<'_>) -> Result<PathBuf> {
    let transcript = Transcript::new(vec![task(prepared)], context.shell());
    let binary = |_, compiled: Compiled, _: &GivenSources| Ok(compiled.output.binary);
    let compilation = compile(&[prepared], &transcript, context, binary)?;
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
    context: &BuildContext<'_>,
    then: impl Fn(usize, Compiled, &GivenSources) -> Result<T> + Sync,
) -> Result<Compilation<T>> {
    let (options, checkout) = (context.options, context.checkout());
    let described =
        prepared.iter().map(|prepared| describe(prepared, context).with_context(|| not_built(prepared)));
    let described = described.collect::<Result<Vec<_>>>()?;
    let build_dir = checkout.build_dir();
    let mut note =
        CompiledSources::open(&build_dir, &options.profile_name, options.target(), context.shell())?;
    cargo::wait_for_orphans(&build_dir, context.shell())?;
    // Not before: others may have compiled meanwhile.
    let sources = give(prepared, &mut note, context)?;
    let orders: Vec<_> = prepared.iter().map(|prepared| order(prepared, context)).collect();
    let outcomes = cargo::compile(&orders, options, context.session, transcript, |number, output| {
        let (prepared, described) = (prepared[number], described[number].clone());
        let done = output
            .map_err(|error| explain(error, prepared.component, &prepared.folder, checkout))
            .and_then(|output| {
                described.crates.check(&output.packages)?;
                let outside = fingerprint::outside(&output, &sources.trees, prepared, context)?;
                Ok((then(number, Compiled { output, described }, &sources)?, outside))
            });
        done.with_context(|| not_built(prepared)).map_err(|error| transcript.speaker(number).error(&error))
    });
    // Where one was not begun, another one has failed.
    let all: Option<Vec<_>> = outcomes.into_iter().map(|outcome| outcome?.ok()).collect();
    let (components, outside): (_, Vec<_>) = all.ok_or(Reported)?.into_iter().unzip();
    let touched = end(note, &sources, outside, context)?;
    Ok(Compilation { components, sources, touched })
}

/// The sources, after cargo was made to compile anew what it would mistake for unchanged.
fn give(
    prepared: &[&Prepared<'_>],
    note: &mut CompiledSources,
    context: &BuildContext<'_>,
) -> Result<GivenSources> {
    let members = all_members(prepared.iter().copied());
    let mut trees = fingerprint::trees(&members, &context.checkout().root)?;
    let digests = fingerprint::digests(&trees);
    note.complete(&mut trees)?;
    let mistaken = note.mistaken(&trees);
    for prepared in prepared {
        let mistaken = mistaken.iter().filter(|member| prepared.members().contains(**member));
        forget(mistaken.copied(), prepared, context).with_context(|| not_built(prepared))?;
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
    context: &BuildContext<'_>,
) -> Result<BTreeSet<String>> {
    let mut all: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (member, files) in outside.into_iter().flatten() {
        all.entry(member).or_default().extend(files);
    }
    let members = given.trees.keys().cloned().collect();
    note.finish(&given.trees, fingerprint::trees(&members, &context.checkout().root)?, &all)
}

fn not_built(prepared: &Prepared<'_>) -> String {
    format!("component `{}` was not built", prepared.name())
}

fn describe(prepared: &Prepared<'_>, context: &BuildContext<'_>) -> Result<Described> {
    if let Some(known) = prepared.known.clone() {
        return Ok(known);
    }
    let (options, checkout) = (context.options, context.checkout());
    let Order { folder, target_dir, .. } = order(prepared, context);
    let crates = cargo::crates(folder, &target_dir, options, context.session)
        .map_err(|error| explain(error, prepared.component, folder, checkout))?;
    prepared.complete(crates, context)
}

/// Has cargo compile crates anew of which it does not see that they have changed.
fn forget<'a>(
    members: impl Iterator<Item = &'a str>,
    prepared: &Prepared<'_>,
    context: &BuildContext<'_>,
) -> Result<()> {
    let (options, checkout) = (context.options, context.checkout());
    let packages = members.map(|member| package_name(&checkout.root, member));
    let packages = packages.collect::<Result<BTreeSet<_>>>()?;
    if packages.is_empty() {
        return Ok(());
    }
    let Order { folder, target_dir, .. } = order(prepared, context);
    cargo::forget(&packages, folder, &target_dir, options, context.session)
        .map_err(|error| explain(error, prepared.component, folder, checkout))
}

fn order<'a>(prepared: &'a Prepared<'_>, context: &BuildContext<'_>) -> Order<'a> {
    let component = prepared.name();
    let target_dir = workspace::target_dir(context.declaration(), component);
    Order { component, folder: &prepared.folder, target_dir }
}
