//! What cargo has compiled of the crates of the checkout, because cargo itself goes by the times of files.
//!
//! A file whose content is another one, and whose time is not later than the last build, is one that cargo takes for unchanged. So
//! every build notes what it gives cargo to compile, in the folder of the artefacts; where the note and a file disagree and cargo
//! would not see it, the crate is compiled anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::digest;
use super::source_tree::SourceTree;
use crate::output::replace;

/// The note for one profile and one target, locked while cargo runs.
#[derive(Debug)]
pub(crate) struct CompiledSources {
    path: PathBuf,
    note: Note,
    /// Whether anything was compiled before the first note was made.
    is_unknown: bool,
    /// When the note was written.
    written: SystemTime,
    _lock: std::fs::File,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    /// Whether the build that wrote it came to its end, without a change of the sources meanwhile.
    finished: bool,
    /// Digests of contents, by crate and file.
    crates: BTreeMap<String, BTreeMap<String, String>>,
}

impl CompiledSources {
    /// Opens the note for artefacts in `build_dir`; waits for another build that has it.
    pub(crate) fn open(build_dir: &Path, profile: &str, target: &str) -> Result<Self> {
        let folder = build_dir.join("racetrack-sources");
        fs::create_dir_all(&folder)?;
        let lock = fs::File::create(folder.join(".lock"))?.into_file();
        lock.lock().with_context(|| format!("cannot lock {}", folder.display()))?;
        let path = folder.join(format!("{profile}-{target}.json"));
        let found = fs::read(&path).ok();
        let note: Option<Note> = found.and_then(|text| serde_json::from_slice(&text).ok());
        let written = fs::metadata(&path).and_then(|found| found.modified());
        let has_artefacts = ["debug", profile].iter().any(|name| build_dir.join(name).exists());
        Ok(Self {
            is_unknown: note.is_none() && has_artefacts,
            note: note.unwrap_or_default(),
            written: written.unwrap_or(SystemTime::UNIX_EPOCH),
            path,
            _lock: lock,
        })
    }

    /// The crates of which cargo may have compiled something else than what is there, without a way to see it.
    pub(crate) fn mistaken<'a>(&self, trees: &'a BTreeMap<String, SourceTree>) -> BTreeSet<&'a str> {
        let mistaken = trees.iter().filter(|(name, tree)| match self.note.crates.get(*name) {
            Some(compiled) => self.is_mistaken(compiled, tree),
            None => self.is_unknown,
        });
        mistaken.map(|(name, _)| name.as_str()).collect()
    }

    /// Notes what cargo is given to compile now.
    pub(crate) fn begin(&mut self, trees: &BTreeMap<String, SourceTree>) -> Result<()> {
        self.note.finished = false;
        self.note.crates.extend(trees.iter().map(|(name, tree)| (name.clone(), digests(tree))));
        self.write()
    }

    /// Notes that cargo came to its end; `trees` are the sources as they are now. Returns whether they are what it was given.
    pub(crate) fn finish(mut self, trees: &BTreeMap<String, SourceTree>) -> Result<bool> {
        self.note.finished =
            trees.iter().all(|(name, tree)| self.note.crates.get(name) == Some(&digests(tree)));
        self.write()?;
        Ok(self.note.finished)
    }

    fn is_mistaken(&self, compiled: &BTreeMap<String, String>, tree: &SourceTree) -> bool {
        let is_other = |path: &str, content: &[u8]| compiled.get(path) != Some(&digest(content));
        let is_hidden = tree.files().any(|(path, file)| {
            // What was changed while a build ran that did not come to its end may have been compiled in between.
            let touched = !self.note.finished && file.touched.is_none_or(|touched| touched >= self.written);
            (is_other(path, &file.content) && file.modified <= self.written) || touched
        });
        is_hidden || compiled.keys().any(|path| !tree.contains(path))
    }

    fn write(&self) -> Result<()> {
        let text = serde_json::to_vec(&self.note).context("cannot write the digests as JSON")?;
        // Also when nothing has changed: its time, by the clock of the files themselves, is what later changes are compared with.
        replace(&self.path, |temporary| std::fs::write(temporary, &text))
    }
}

fn digests(tree: &SourceTree) -> BTreeMap<String, String> {
    tree.files().map(|(path, file)| (path.to_owned(), digest(&file.content))).collect()
}
