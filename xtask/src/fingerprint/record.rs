//! What a build has left behind, to see whether the next one would do it again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::dependency_file::{paths, watched_by_script};
use super::digest;
use super::identity::identity;
use super::inputs::{Inputs, trees};
use super::source_tree::SourceTree;
use crate::cargo::Compiled;
use crate::output::write_if_changed;
use crate::prepare::{Prepared, Site};
use crate::workspace;

/// The inputs of a finished build, and its outputs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What it was built from.
    pub(crate) inputs: Inputs,
    /// Files that are no part of a crate of the checkout, by path, with the digests of their contents.
    watched: BTreeMap<PathBuf, String>,
    /// The binary and what is beside it, by path, with their identities.
    outputs: BTreeMap<PathBuf, String>,
}

/// Files besides the crates that a binary was built from.
#[derive(Debug)]
pub(crate) struct Watched(BTreeMap<PathBuf, String>);

impl Watched {
    /// The files outside of the crates of the checkout that cargo watches for this binary: included ones, and those that build
    /// scripts name. Nothing when one of them is a folder, or cannot be known.
    pub(crate) fn of(compiled: &Compiled, prepared: &Prepared<'_>, site: &Site<'_>) -> Result<Option<Self>> {
        let folder = fs::canonicalize(&prepared.folder)?;
        let build_dir = site.checkout.build_dir();
        let included = included(compiled, prepared, site)?;
        let mut files: Vec<_> = included.into_iter().map(|Included { path, .. }| path).collect();
        for script in &compiled.build_scripts {
            // Beside the folder for what the script makes is what it printed.
            let printed = script.out_dir.as_std_path().with_file_name("output");
            let Ok(printed) = std::fs::read_to_string(printed) else {
                return Ok(None);
            };
            let outside = |path: &PathBuf| {
                path.is_absolute()
                    && ![&folder, &build_dir, &site.checkout.cargo_home]
                        .iter()
                        .any(|known| path.starts_with(known))
            };
            files.extend(watched_by_script(&printed).into_iter().filter(outside));
        }
        let mut watched = BTreeMap::new();
        for path in files {
            let Some(found) = content_digest(&path) else {
                return Ok(None);
            };
            watched.insert(path, found);
        }
        Ok(Some(Self(watched)))
    }
}

/// A file outside of the crates that is read for one.
struct Included {
    path: PathBuf,
    /// The crates that may be the one; nothing when that cannot be seen.
    members: Vec<String>,
}

/// The canonical paths of the files outside of each crate of the checkout that cargo has read for it.
pub(crate) fn outside(
    compiled: &Compiled,
    prepared: &Prepared<'_>,
    site: &Site<'_>,
) -> Result<BTreeMap<String, BTreeSet<PathBuf>>> {
    let mut outside: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for Included { path, members } in included(compiled, prepared, site)? {
        let Ok(path) = path.canonicalize() else {
            continue;
        };
        let suspects =
            if members.is_empty() { prepared.members().iter().cloned().collect() } else { members };
        for member in suspects {
            outside.entry(member).or_default().insert(path.clone());
        }
    }
    Ok(outside)
}

/// What the dependency file of a binary names that is neither in a crate, nor generated, nor in the store.
fn included(compiled: &Compiled, prepared: &Prepared<'_>, site: &Site<'_>) -> Result<Vec<Included>> {
    let text = fs::read_to_string(compiled.binary.with_extension("d"))?;
    let trees = trees(prepared, &site.checkout.root)?;
    let folder = fs::canonicalize(&prepared.folder)?;
    let [build_dir, store] = [site.checkout.build_dir(), site.checkout.store()];
    let included = |path: PathBuf| {
        let Ok(inside) = path.strip_prefix(&folder) else {
            let is_known = path.starts_with(&build_dir) || path.starts_with(&store);
            return (!is_known).then_some(Included { path, members: Vec::new() });
        };
        let within = |(member, tree): (&String, &SourceTree)| {
            let rest = inside.strip_prefix(member).ok()?;
            let is_part = tree.contains(&rest.to_string_lossy().replace('\\', "/"));
            Some((member.clone(), is_part))
        };
        let (members, parts): (Vec<_>, Vec<_>) = trees.iter().filter_map(within).unzip();
        // Everything else in the workspace is generated, and plugins are compared with what was read before every build.
        let is_known = members.is_empty() || parts.contains(&true);
        (!is_known).then_some(Included { path, members })
    };
    Ok(paths(&text).into_iter().filter_map(included).collect())
}

/// The binary of a component that needs no build, and why another one does.
pub(crate) fn finished(
    inputs: Option<&Inputs>,
    binary: &Path,
    prepared: &Prepared<'_>,
    site: &Site<'_>,
) -> Result<PathBuf, Option<String>> {
    // A record that cannot be read is one that is not there.
    let record = fs::read(path(prepared, site)).ok();
    let record: Option<Record> = record.and_then(|text| serde_json::from_slice(&text).ok());
    let (Some(inputs), Some(record)) = (inputs, record) else {
        return Err(None);
    };
    if let Some(difference) = inputs.difference(&record.inputs) {
        return Err(Some(difference));
    }
    let changed = record.watched.iter().find(|(path, known)| content_digest(path).as_ref() != Some(known));
    if let Some((path, _)) = changed {
        return Err(Some(format!("{} changed", path.display())));
    }
    let is_there =
        |(path, known): (&PathBuf, &String)| identity(path).is_ok_and(|found| found.as_ref() == Some(known));
    if !record.outputs.contains_key(binary) || !record.outputs.iter().all(is_there) {
        return Err(Some("the output folder changed".to_owned()));
    }
    Ok(binary.to_owned())
}

/// Keeps what a build was made from and what it made, for the next one.
pub(crate) fn keep(
    inputs: Inputs,
    watched: Watched,
    outputs: &[PathBuf],
    prepared: &Prepared<'_>,
    site: &Site<'_>,
) -> Result<()> {
    let mut identities = BTreeMap::new();
    for output in outputs {
        let found = identity(output).with_context(|| format!("cannot look at {}", output.display()))?;
        identities.insert(output.clone(), found.with_context(|| format!("{} is gone", output.display()))?);
    }
    let record = Record { inputs, watched: watched.0, outputs: identities };
    let text = serde_json::to_vec(&record).context("cannot write the fingerprint as JSON")?;
    write_if_changed(&path(prepared, site), &text).map(drop)
}

/// Beside the artefacts, which go when the component does.
fn path(prepared: &Prepared<'_>, site: &Site<'_>) -> PathBuf {
    let name = &prepared.component.declaration.name;
    let file = format!("racetrack-fingerprint-{}.json", site.options.profile_name);
    workspace::target_dir(site.declaration, name).join(file)
}

/// Nothing for what is not a file.
fn content_digest(path: &Path) -> Option<String> {
    std::fs::read(path).ok().map(|content| digest(&content))
}
