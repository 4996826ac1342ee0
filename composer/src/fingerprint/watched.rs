//! The files outside of the crates of the checkout that a binary was built from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use fs_err as fs;

use super::dependency_file::{paths, watched_by_script};
use super::digest;
use super::source_tree::SourceTree;
use crate::cargo::BuildOutput;
use crate::workspace::prepare::{BuildContext, Prepared};

/// Files besides the crates that a binary was built from.
#[derive(Debug)]
pub struct Watched(pub(super) BTreeMap<PathBuf, String>);

impl Watched {
    /// The files outside of the crates of the checkout that cargo watches for this binary: included ones, and those that build
    /// scripts name. Nothing when one of them is a folder, or cannot be known.
    pub fn of(
        compiled: &BuildOutput,
        trees: &BTreeMap<String, SourceTree>,
        prepared: &Prepared<'_>,
        context: &BuildContext<'_>,
    ) -> Result<Option<Self>> {
        let folder = fs::canonicalize(&prepared.folder)?;
        let build_dir = context.checkout().build_dir();
        let included = included(compiled, trees, prepared, context)?;
        let mut files: Vec<_> = included.into_iter().map(|Included { path, .. }| path).collect();
        for script in &compiled.build_scripts {
            // Beside the folder for what the script makes is what it printed.
            let printed = script.out_dir.as_std_path().with_file_name("output");
            let Ok(printed) = std::fs::read_to_string(printed) else {
                return Ok(None);
            };
            let outside = |path: &PathBuf| {
                path.is_absolute()
                    && ![&folder, &build_dir, &context.checkout().cargo_home]
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
pub fn outside(
    compiled: &BuildOutput,
    trees: &BTreeMap<String, SourceTree>,
    prepared: &Prepared<'_>,
    context: &BuildContext<'_>,
) -> Result<BTreeMap<String, BTreeSet<PathBuf>>> {
    let mut outside: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for Included { path, members } in included(compiled, trees, prepared, context)? {
        // A folder has no content, and what is gone makes the build one that is not kept.
        let Some(path) = path.canonicalize().ok().filter(|path| path.is_file()) else {
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
fn included(
    compiled: &BuildOutput,
    trees: &BTreeMap<String, SourceTree>,
    prepared: &Prepared<'_>,
    context: &BuildContext<'_>,
) -> Result<Vec<Included>> {
    let text = fs::read_to_string(compiled.binary.with_extension("d"))?;
    let folder = fs::canonicalize(&prepared.folder)?;
    let [build_dir, store] = [context.checkout().build_dir(), context.checkout().store()];
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
        let own = trees.iter().filter(|(member, _)| prepared.members().contains(*member));
        let (members, parts): (Vec<_>, Vec<_>) = own.filter_map(within).unzip();
        // Everything else in the workspace is generated, and plugins are compared with what was read before every build.
        let is_known = members.is_empty() || parts.contains(&true);
        (!is_known).then_some(Included { path, members })
    };
    Ok(paths(&text).into_iter().filter_map(included).collect())
}

/// Nothing for what is not a file.
pub(super) fn content_digest(path: &Path) -> Option<String> {
    std::fs::read(path).ok().map(|content| digest(&content))
}
