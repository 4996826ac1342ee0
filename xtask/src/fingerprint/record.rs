//! What a build has left behind, to see whether the next one would do it again.

use std::collections::BTreeMap;
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
        let text = fs::read_to_string(compiled.binary.with_extension("d"))?;
        let trees = trees(prepared, &site.checkout.root)?;
        let folder = fs::canonicalize(&prepared.folder)?;
        let build_dir = site.checkout.build_dir();
        let is_known = |path: &Path| {
            let Ok(inside) = path.strip_prefix(&folder) else {
                return path.starts_with(&build_dir) || path.starts_with(site.checkout.store());
            };
            let member = |(member, tree): (&String, &SourceTree)| {
                let rest = inside.strip_prefix(member).ok()?;
                Some(tree.contains(&rest.to_string_lossy().replace('\\', "/")))
            };
            let found: Vec<_> = trees.iter().filter_map(member).collect();
            // Everything else in the workspace is generated, and plugins are compared with what was read before every build.
            found.is_empty() || found.contains(&true)
        };
        let mut files: Vec<_> = paths(&text).into_iter().filter(|path| !is_known(path)).collect();
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
