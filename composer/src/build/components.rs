//! The build of components whose workspaces are written: what needs none, what cargo compiles, and what is checked and installed.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

use super::compilation::{Compilation, Compiled, GivenSources, all_members, compile, task};
use super::installation::install;
use crate::binary::records;
use crate::cargo;
use crate::fingerprint::{self, Inputs, Outputs, Watched};
use crate::quantity::counted;
use crate::transcript::{Speaker, Transcript};
use crate::workspace::cargo_lock as lock;
use crate::workspace::prepare::{BuildContext, Described, Prepared};

/// A component that has to be compiled.
struct Stale<'a> {
    prepared: &'a Prepared<'a>,
    /// What it is to be built from, if that is known.
    inputs: Option<Inputs>,
    /// Why, in the words of people, if that is known.
    reason: Option<String>,
}

/// A component whose binary and records are in the output folder.
struct Installed {
    /// What it is made of.
    described: Described,
    /// Its binary and its records.
    outputs: Outputs,
    /// What it was built from besides the crates of the checkout, if that is known.
    watched: Option<Watched>,
}

/// Builds components. Returns the name of each with its binary, in the same order. Failures of components are reported.
pub(super) fn install_all(
    prepared: &[Prepared<'_>],
    out_dir: &Path,
    context: &BuildContext<'_>,
) -> Result<Vec<(String, PathBuf)>> {
    let trees = fingerprint::trees(&all_members(prepared), &context.checkout().root)?;
    let digests = fingerprint::digests(&trees);
    let mut stale = Vec::new();
    for prepared in prepared {
        let inputs = fingerprint::inputs(prepared, &digests, out_dir, context)?;
        match fingerprint::finished(inputs.as_ref(), &path(prepared, out_dir, context), prepared, context) {
            Ok(()) => context.shell().status("Fresh", format_args!("component `{}`", prepared.name())),
            Err(reason) => stale.push(Stale { prepared, inputs, reason }),
        }
    }
    if !stale.is_empty() {
        rebuild(stale, out_dir, context)?;
    }
    let binary = |prepared: &Prepared<'_>| (prepared.name().to_owned(), path(prepared, out_dir, context));
    Ok(prepared.iter().map(binary).collect())
}

/// Where the binary of a component belongs.
fn path(prepared: &Prepared<'_>, out_dir: &Path, context: &BuildContext<'_>) -> PathBuf {
    out_dir.join(cargo::binary_file(prepared.name(), context.options.target()))
}

fn rebuild(mut stale: Vec<Stale<'_>>, out_dir: &Path, context: &BuildContext<'_>) -> Result<()> {
    // Others are compiled while a binary is linked, so what takes longest is begun first.
    let length = |stale: &Stale<'_>| {
        fs::metadata(path(stale.prepared, out_dir, context)).map_or(0, |found| found.len())
    };
    stale.sort_by_cached_key(|stale| Reverse(length(stale)));
    let transcript =
        Transcript::new(stale.iter().map(|stale| task(stale.prepared)).collect(), context.shell());
    for (number, stale) in stale.iter().enumerate() {
        transcript.speaker(number).status("Compiling", description(stale));
    }
    let prepared: Vec<_> = stale.iter().map(|stale| stale.prepared).collect();
    let compilation = compile(&prepared, &transcript, context, |number, compiled, sources| {
        finish(compiled, prepared[number], sources, out_dir, transcript.speaker(number), context)
    })?;
    let Compilation { components, sources, touched } = compilation;
    if !touched.is_empty() {
        return withdraw_records(&prepared, &touched, out_dir, context);
    }
    for (Stale { prepared, inputs: given, .. }, built) in stale.into_iter().zip(components) {
        let Installed { described, outputs, watched } = built;
        let prepared = &prepared.known_as(described);
        let inputs = fingerprint::inputs(prepared, &sources.digests, out_dir, context)?;
        let inputs = inputs.filter(|now| given.is_some_and(|given| given.is_given_like(now)));
        if let (Some(inputs), Some(watched)) = (inputs, watched) {
            fingerprint::keep(inputs, watched, outputs, prepared, context)?;
        }
    }
    Ok(())
}

/// Removes what says which sources the binaries are from: they may be from others.
fn withdraw_records(
    prepared: &[&Prepared<'_>],
    touched: &BTreeSet<String>,
    out_dir: &Path,
    context: &BuildContext<'_>,
) -> Result<()> {
    let concerned = prepared.iter().filter(|prepared| !prepared.members().is_disjoint(touched));
    let names: Vec<_> = concerned.map(|prepared| prepared.name()).collect();
    for name in &names {
        records::remove(out_dir, name)?;
    }
    let crates: Vec<_> = touched.iter().map(String::as_str).collect();
    context.shell().warn(format_args!(
        "files of {} were touched while cargo compiled them; nobody knows which ones are in {}, so their records were removed; build \
         once more",
        crates.join(", "),
        names.join(", ")
    ));
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
    component: Compiled,
    prepared: &Prepared<'_>,
    sources: &GivenSources,
    out_dir: &Path,
    speaker: Speaker<'_>,
    context: &BuildContext<'_>,
) -> Result<Installed> {
    let Compiled { output, described } = component;
    speaker.status("Checking", format_args!("component `{}`", prepared.name()));
    lock::check(&prepared.folder)?;
    let path = path(prepared, out_dir, context);
    let checked = install(&output.binary, &path, prepared.component, &described.embedded, speaker, context)?;
    let committed = lock::committed_path(&context.declaration().folder, prepared.name());
    if lock::copy_out(&committed, &prepared.folder)? {
        speaker.status("Locking", context.checkout().display(&committed));
    }
    records::write(&path, &checked.into_digest(), &sources.digests, prepared, &described, context)?;
    let [bill, statement] = records::paths(out_dir, prepared.name());
    let outputs = Outputs::of([path, bill, statement])?;
    let watched = Watched::of(&output, &sources.trees, prepared, context)?;
    Ok(Installed { described, outputs, watched })
}
