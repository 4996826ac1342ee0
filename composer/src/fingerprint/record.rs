//! What a build has left behind, to see whether the next one would do it again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::identity::identity;
use super::inputs::Inputs;
use super::watched::{Watched, content_digest};
use crate::files::write_if_changed;
use crate::workspace::assemble as workspace;
use crate::workspace::prepare::{BuildContext, Prepared};

/// The inputs of a finished build, and its outputs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// What it was built from.
    pub inputs: Inputs,
    /// Files that are no part of a crate of the checkout, by path, with the digests of their contents.
    watched: BTreeMap<PathBuf, String>,
    outputs: Outputs,
}

/// A binary and what is beside it, by path, with their identities.
#[derive(Debug, Serialize, Deserialize)]
pub struct Outputs(BTreeMap<PathBuf, String>);

/// Whether a component needs no build, and why one does.
pub fn finished(
    inputs: Option<&Inputs>,
    binary: &Path,
    prepared: &Prepared<'_>,
    context: &BuildContext<'_>,
) -> Result<(), Option<String>> {
    let (Some(inputs), Some(record)) = (inputs, Record::read(&path(prepared, context))) else {
        return Err(None);
    };
    match record.difference(inputs, binary) {
        Some(difference) => Err(Some(difference)),
        None => Ok(()),
    }
}

/// Keeps what a build was made from and what it made, for the next one.
pub fn keep(
    inputs: Inputs,
    watched: Watched,
    outputs: Outputs,
    prepared: &Prepared<'_>,
    context: &BuildContext<'_>,
) -> Result<()> {
    Record { inputs, watched: watched.0, outputs }.write(&path(prepared, context))
}

impl Outputs {
    /// The files as they are now, which must be there.
    pub fn of(paths: impl IntoIterator<Item = PathBuf>) -> Result<Self> {
        let identified = paths.into_iter().map(|path| {
            let found = identity(&path).with_context(|| format!("cannot look at {}", path.display()))?;
            let found = found.with_context(|| format!("{} is gone", path.display()))?;
            Ok((path, found))
        });
        identified.collect::<Result<_>>().map(Self)
    }
}

impl Record {
    /// A record that cannot be read is one that is not there.
    fn read(path: &Path) -> Option<Self> {
        let text = fs::read(path).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).context("cannot write the fingerprint as JSON")?;
        write_if_changed(path, &text).map(drop)
    }

    /// Why a build with these inputs would not leave behind again what is there; nothing when it would.
    fn difference(&self, inputs: &Inputs, binary: &Path) -> Option<String> {
        if let Some(difference) = inputs.difference(&self.inputs) {
            return Some(difference);
        }
        let changed = self.watched.iter().find(|(path, known)| content_digest(path).as_ref() != Some(known));
        if let Some((path, _)) = changed {
            return Some(format!("{} changed", path.display()));
        }
        let is_there = |(path, known): (&PathBuf, &String)| {
            identity(path).is_ok_and(|found| found.as_ref() == Some(known))
        };
        let is_whole = self.outputs.0.contains_key(binary) && self.outputs.0.iter().all(is_there);
        (!is_whole).then(|| "the output folder changed".to_owned())
    }
}

/// Beside the artefacts, which go when the component does.
fn path(prepared: &Prepared<'_>, context: &BuildContext<'_>) -> PathBuf {
    let name = &prepared.component.declaration.name;
    let file = format!("racetrack-fingerprint-{}.json", context.options.profile_name);
    workspace::target_dir(context.declaration(), name).join(file)
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn inputs(value: &str) -> Inputs {
        Inputs(BTreeMap::from([("crate core".to_owned(), value.to_owned())]))
    }

    #[test]
    fn a_record_holds_as_long_as_everything_is_as_it_was_left() {
        let set_time = |path: &Path, seconds| {
            let file = std::fs::File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
        };
        let folder = tempfile::tempdir().unwrap();
        let [binary, bill, watched, kept] =
            ["tiny", "tiny.cdx.json", "outside.txt", "record.json"].map(|name| folder.path().join(name));
        for path in [&binary, &bill, &watched] {
            fs::write(path, "1").unwrap();
            set_time(path, 2);
        }
        let keep = || {
            let digest = content_digest(&watched).unwrap();
            let watched = BTreeMap::from([(watched.clone(), digest)]);
            let outputs = Outputs::of([binary.clone(), bill.clone()]).unwrap();
            Record { inputs: inputs("1"), watched, outputs }.write(&kept).unwrap();
        };
        let difference = || Record::read(&kept).unwrap().difference(&inputs("1"), &binary);
        assert!(Record::read(&kept).is_none());
        keep();
        assert_eq!(difference(), None);
        let read = || Record::read(&kept).unwrap();
        assert_eq!(read().difference(&inputs("2"), &binary).unwrap(), "crate core changed");
        assert!(read().difference(&inputs("1"), &watched).is_some(), "a binary of another name");

        set_time(&watched, 9);
        assert_eq!(difference(), None, "its content counts");
        fs::write(&watched, "2").unwrap();
        set_time(&watched, 1);
        assert_eq!(difference().unwrap(), format!("{} changed", watched.display()));
        fs::remove_file(&watched).unwrap();
        assert_eq!(difference().unwrap(), format!("{} changed", watched.display()));
        fs::write(&watched, "1").unwrap();
        assert_eq!(difference(), None);

        let said = "the output folder changed";
        for output in [&binary, &bill] {
            let other = folder.path().join("other");
            fs::copy(output, &other).unwrap();
            set_time(&other, 2);
            fs::rename(&other, output).unwrap();
            assert_eq!(difference().as_deref(), Some(said), "replaced");
            keep();
            fs::remove_file(output).unwrap();
            assert_eq!(difference().as_deref(), Some(said), "removed");
            fs::write(output, "1").unwrap();
            set_time(output, 3);
            keep();
            fs::write(output, "2").unwrap();
            set_time(output, 2);
            assert_eq!(difference().as_deref(), Some(said), "rewritten, with an older time");
            keep();
            assert_eq!(difference(), None);
        }
        fs::write(&kept, "{").unwrap();
        assert!(Record::read(&kept).is_none());
    }
}
