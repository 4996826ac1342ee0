//! The build of components whose workspaces are written: what needs none, what cargo compiles, and what is checked and installed.

mod compilation;
mod failure;
mod installation;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

pub(crate) use self::compilation::compile_alone;
use self::compilation::{Compilation, CompiledComponent, all_members, compile};
use self::installation::install;
use crate::fingerprint::{self, Inputs, SourceTree, Watched};
use crate::prepare::{Prepared, Site};
use crate::quantity::counted;
use crate::transcript::Transcript;
use crate::{lock, records};

/// A component that has to be compiled.
struct Stale<'a> {
    prepared: &'a Prepared<'a>,
    /// What it is to be built from, if that is known.
    inputs: Option<Inputs>,
    /// Why, in the words of people, if that is known.
    reason: Option<String>,
}

/// Builds components. Returns the name of each with its binary, in the same order.
pub(crate) fn run(
    prepared: &[Prepared<'_>],
    out_dir: &Path,
    site: &Site<'_>,
) -> Result<Vec<(String, PathBuf)>> {
    let trees = fingerprint::trees(&all_members(prepared), &site.checkout.root)?;
    let digests = fingerprint::digests(&trees);
    let mut stale = Vec::new();
    for prepared in prepared {
        let inputs = fingerprint::inputs(prepared, &digests, out_dir, site)?;
        match fingerprint::finished(inputs.as_ref(), &place(prepared, out_dir), prepared, site) {
            Ok(()) => site.shell.status("Fresh", format_args!("component `{}`", prepared.name())),
            Err(reason) => stale.push(Stale { prepared, inputs, reason }),
        }
    }
    if !stale.is_empty() {
        build(stale, trees, &digests, out_dir, site)?;
    }
    let binary = |prepared: &Prepared<'_>| (prepared.name().to_owned(), place(prepared, out_dir));
    Ok(prepared.iter().map(binary).collect())
}

/// Where the binary of a component belongs.
fn place(prepared: &Prepared<'_>, out_dir: &Path) -> PathBuf {
    out_dir.join(prepared.name()).with_extension(std::env::consts::EXE_EXTENSION)
}

fn build(
    mut stale: Vec<Stale<'_>>,
    trees: BTreeMap<String, SourceTree>,
    digests: &BTreeMap<String, String>,
    out_dir: &Path,
    site: &Site<'_>,
) -> Result<()> {
    // Others are compiled while a binary is linked, so what takes longest is begun first.
    let length =
        |stale: &Stale<'_>| fs::metadata(place(stale.prepared, out_dir)).map_or(0, |found| found.len());
    stale.sort_by_cached_key(|stale| Reverse(length(stale)));
    let tasks = stale.iter().map(|stale| format!("Compiling component `{}`", stale.prepared.name()));
    let transcript = Transcript::new(tasks.collect(), site.shell);
    for (number, stale) in stale.iter().enumerate() {
        transcript.status(number, "Compiling", description(stale));
    }
    let prepared: Vec<_> = stale.iter().map(|stale| stale.prepared).collect();
    let compilation = compile(&prepared, trees, &transcript, site, |number, compiled| {
        transcript.status(number, "Checking", format_args!("component `{}`", prepared[number].name()));
        finish(compiled, prepared[number], digests, out_dir, site)
    })?;
    let Compilation { components, sources } = compilation;
    let components = all_or_first_failure(components.into_iter(), |another| site.shell.error(another))?;
    // What has changed while cargo ran may or may not be in the binaries.
    let Some(now) = sources else {
        return Ok(());
    };
    let digests = fingerprint::digests(&now);
    for (Stale { prepared, inputs: given, .. }, (compiled, ())) in stale.into_iter().zip(components) {
        let watched = Watched::of(&compiled.compiled, &now, prepared, site)?;
        let prepared = &prepared.known_as(compiled.described);
        let inputs = fingerprint::inputs(prepared, &digests, out_dir, site)?;
        let inputs = inputs.filter(|now| given.is_some_and(|given| given.is_given_like(now)));
        if let (Some(inputs), Some(watched)) = (inputs, watched) {
            let [bill, statement] = records::paths(out_dir, prepared.name());
            fingerprint::keep(inputs, watched, &[place(prepared, out_dir), bill, statement], prepared, site)?;
        }
    }
    Ok(())
}

/// `component x with 2 plugins, unlocked: crate core changed`.
fn description(stale: &Stale<'_>) -> String {
    let Stale { prepared, reason, .. } = stale;
    let plugins = counted(prepared.component.plugins.len(), "plugin");
    let unlocked = if prepared.locked { "" } else { ", unlocked" };
    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("component `{}` with {plugins}{unlocked}{reason}", prepared.name())
}

/// Checks a component that cargo has compiled, and puts it into the output folder with its records.
fn finish(
    compiled: &CompiledComponent,
    prepared: &Prepared<'_>,
    digests: &BTreeMap<String, String>,
    out_dir: &Path,
    site: &Site<'_>,
) -> Result<()> {
    let CompiledComponent { compiled, described } = compiled;
    lock::check(&prepared.folder)?;
    let installed = install(&compiled.binary, prepared.component, out_dir, &described.embedded, site)?;
    let committed = lock::committed_path(&site.declaration.folder, prepared.name());
    if lock::copy_out(&committed, &prepared.folder)? {
        site.shell.status("Locking", site.checkout.display(&committed));
    }
    records::write(&installed.path, &installed.digest, digests, prepared, described, site)
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

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

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
