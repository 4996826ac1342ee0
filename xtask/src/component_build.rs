//! The build of components whose workspaces are written: what needs none, what cargo compiles, and what is checked and installed.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use fs_err as fs;

use crate::blame::{Graph, blame};
use crate::cargo::{self, CompileError, Compiled};
use crate::checkout::{Checkout, HOST_TRIPLE};
use crate::description::Embedded;
use crate::fingerprint::{self, CompiledSources, Inputs, Watched};
use crate::members::package_name;
use crate::plan::PlannedComponent;
use crate::prepare::{Described, Prepared, Site};
use crate::quantity::counted;
use crate::{leak, lock, output, records, self_report, workspace};

/// Builds one component after the other, because cargo does. While it compiles the next one, the former is checked and installed.
/// Returns the name of each component with its binary.
pub(crate) fn run(
    prepared: &[Prepared<'_>],
    out_dir: &Path,
    site: &Site<'_>,
) -> Result<Vec<(String, PathBuf)>> {
    thread::scope(|scope| {
        let mut begun = Vec::new();
        for prepared in prepared {
            let step = begin_one(prepared, out_dir, site).map(|step| match step {
                Step::Finished(binary) => Ending::Now(binary),
                Step::Compiled(compiled) => {
                    Ending::Later(scope.spawn(|| finish_one(*compiled, prepared, out_dir, site)))
                }
            });
            let is_failed = step.is_err();
            begun.push((&prepared.component.declaration.name, step));
            if is_failed {
                break;
            }
        }
        let ended = begun.into_iter().map(|(name, step)| {
            let binary = step.and_then(|ending| match ending {
                Ending::Now(binary) => Ok(binary),
                Ending::Later(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            });
            let binary = binary.with_context(|| format!("component `{name}` was not built"))?;
            Ok((name.clone(), binary))
        });
        all_or_first_failure(ended, |another| site.shell.error(another))
    })
}

/// All results, or the first failure; the further ones are reported here.
fn all_or_first_failure<T>(
    results: impl Iterator<Item = Result<T>>,
    mut report: impl FnMut(&anyhow::Error),
) -> Result<Vec<T>> {
    let (mut all, mut first) = (Vec::new(), None);
    for result in results {
        match result {
            Ok(result) => all.push(result),
            Err(another) if first.is_some() => report(&another),
            Err(error) => first = Some(error),
        }
    }
    first.map_or(Ok(all), Err)
}

/// How far a component is when cargo is free for the next one.
enum Step {
    /// Its former binary is what would be built.
    Finished(PathBuf),
    /// It was compiled, and is yet to be checked and installed.
    Compiled(Box<CompiledComponent>),
}

/// The binary of a component, now or when a thread has ended.
enum Ending<'scope> {
    Now(PathBuf),
    Later(thread::ScopedJoinHandle<'scope, Result<PathBuf>>),
}

/// A component that cargo has compiled.
struct CompiledComponent {
    built: Built,
    /// What it was to be built from.
    inputs: Option<Inputs>,
}

fn begin_one(prepared: &Prepared<'_>, out_dir: &Path, site: &Site<'_>) -> Result<Step> {
    let Prepared { component, folder, locked, .. } = prepared;
    let shell = site.shell;
    let name = &component.declaration.name;
    let inputs = fingerprint::inputs(prepared, out_dir, site)?;
    let place = out_dir.join(name).with_extension(std::env::consts::EXE_EXTENSION);
    let reason = match fingerprint::finished(inputs.as_ref(), &place, prepared, site) {
        Ok(binary) => {
            shell.status("Fresh", format_args!("component `{name}`"));
            return Ok(Step::Finished(binary));
        }
        Err(reason) => reason.map(|reason| format!(": {reason}")).unwrap_or_default(),
    };
    let plugins = counted(component.plugins.len(), "plugin");
    let unlocked = if *locked { "" } else { ", unlocked" };
    shell.status("Compiling", format_args!("component `{name}` with {plugins}{unlocked}{reason}"));
    let built = compile(prepared, site)?;
    shell.status("Checking", format_args!("component `{name}`"));
    lock::check(folder)?;
    Ok(Step::Compiled(Box::new(CompiledComponent { built, inputs })))
}

fn finish_one(
    compiled: CompiledComponent,
    prepared: &Prepared<'_>,
    out_dir: &Path,
    site: &Site<'_>,
) -> Result<PathBuf> {
    let Site { declaration, options, checkout, shell, .. } = *site;
    let Prepared { component, folder, .. } = prepared;
    let name = &component.declaration.name;
    let CompiledComponent { built: Built { compiled, described, watched, is_undisturbed }, inputs } =
        compiled;
    let binary = &compiled.binary;
    if options.target() == HOST_TRIPLE {
        self_report::compare(&self_report::ask(binary)?, component, &described.embedded)?;
    } else {
        shell.warn(format_args!("`{name}` is for another machine, so it was not asked for its plugins"));
    }
    let installed = install(binary, component, out_dir, &described.embedded, checkout)?;
    let committed = lock::committed_path(&declaration.folder, name);
    if lock::copy_out(&committed, folder)? {
        shell.status("Locking", checkout.display(&committed));
    }
    records::write(&installed, prepared, &described, site)?;
    let prepared = &prepared.known_as(described);
    let now = fingerprint::inputs(prepared, out_dir, site)?;
    // What has changed while cargo ran may or may not be in the binary.
    let now = now.filter(|now| is_undisturbed && inputs.is_some_and(|before| before.is_given_like(now)));
    if let (Some(inputs), Some(watched)) = (now, watched) {
        let [bill, statement] = records::paths(out_dir, name);
        fingerprint::keep(inputs, watched, &[installed.clone(), bill, statement], prepared, site)?;
    }
    Ok(installed)
}

/// A binary, where cargo has put it.
pub(crate) struct Built {
    /// What cargo has said of it.
    pub(crate) compiled: Compiled,
    /// What it is made of.
    described: Described,
    /// The files outside of the crates that it was built from, if they are known.
    watched: Option<Watched>,
    /// Whether no source of the checkout has changed while cargo ran.
    is_undisturbed: bool,
}

/// Compiles a component whose workspace is written.
pub(crate) fn compile(prepared: &Prepared<'_>, site: &Site<'_>) -> Result<Built> {
    let Site { declaration, options, checkout, shell, .. } = *site;
    let Prepared { component, folder, .. } = prepared;
    let name = &component.declaration.name;
    let failed = |error| explain(error, component, folder, checkout);
    let target_dir = workspace::target_dir(declaration, name);
    let described = if let Some(known) = prepared.known.clone() {
        known
    } else {
        let crates = cargo::crates(folder, &target_dir, options, checkout, shell).map_err(failed)?;
        prepared.complete(crates, site)?
    };
    let mut sources = CompiledSources::open(&checkout.build_dir(), &options.profile_name, options.target())?;
    let mut trees = fingerprint::trees(prepared, &checkout.root)?;
    sources.complete(&mut trees)?;
    let mistaken = sources.mistaken(&trees).into_iter().map(|member| package_name(&checkout.root, member));
    let mistaken = mistaken.collect::<Result<BTreeSet<_>>>()?;
    if !mistaken.is_empty() {
        cargo::forget(&mistaken, folder, &target_dir, options, checkout, shell).map_err(failed)?;
    }
    sources.begin(&trees)?;
    let compiled = cargo::compile(name, folder, &target_dir, options, checkout, shell).map_err(failed)?;
    let watched = Watched::of(&compiled, prepared, site)?;
    let outside = fingerprint::outside(&compiled, prepared, site)?;
    let now = fingerprint::trees(prepared, &checkout.root)?;
    let is_undisturbed = sources.finish(&trees, now, &outside)?;
    described.crates.check(&compiled.packages)?;
    Ok(Built { compiled, described, watched, is_undisturbed })
}

/// Says which plugin a failure comes from; cargo has said the rest.
fn explain(
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

/// Puts a binary into the output folder, unless it is there already. Only binaries that describe themselves and hold no
/// paths of this machine get there, so what is there already needs no second search. It has the time of the original, and the
/// content: anybody can set a time.
fn install(
    binary: &Path,
    component: &PlannedComponent,
    out_dir: &Path,
    embedded: &Embedded,
    checkout: &Checkout,
) -> Result<PathBuf> {
    let place = out_dir.join(binary.file_name().context("a binary has a name")?);
    let original = fs::metadata(binary)?;
    let time = original.modified().context("cannot tell when the binary was made")?;
    let is_original = |found: std::fs::Metadata| {
        found.is_file() && found.len() == original.len() && found.modified().is_ok_and(|found| found == time)
    };
    let content = fs::read(binary)?;
    if fs::metadata(&place).is_ok_and(is_original) && fs::read(&place)? == content {
        return Ok(place);
    }
    if let Some(leak) = leak::find(&content, &leak::needles(checkout)) {
        let origin = leak.origin(&component.plugins);
        return Err(anyhow!(leak).context(format!(
            "the binary was not put into {}: a path of this machine, from {origin}",
            checkout.display(out_dir)
        )));
    }
    embedded.check(&content)?;
    if place.is_dir() {
        bail!("there is a folder where the binary {} belongs", place.display());
    }
    // They speak of the former binary, and the new ones are written after it.
    records::remove(out_dir, &component.declaration.name)?;
    output::replace(&place, |temporary| {
        std::fs::copy(binary, temporary)?;
        std::fs::File::options().write(true).open(temporary)?.set_modified(time)
    })?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_reported_once() {
        let ended = |results: [Result<u8, &'static str>; 3]| {
            let mut reported = Vec::new();
            let results = results.into_iter().map(|result| result.map_err(|error| anyhow!(error)));
            let ended = all_or_first_failure(results, |another| reported.push(another.to_string()));
            (ended.map_err(|error| error.to_string()), reported.join(", "))
        };
        assert_eq!(ended([Ok(1), Ok(2), Ok(3)]), (Ok(vec![1, 2, 3]), String::new()));
        assert_eq!(ended([Ok(1), Err("a"), Ok(3)]), (Err("a".to_owned()), String::new()));
        assert_eq!(ended([Err("a"), Ok(2), Err("b")]), (Err("a".to_owned()), "b".to_owned()));
    }
}
