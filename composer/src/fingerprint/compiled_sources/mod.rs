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
use super::source_tree::{SourceFile, SourceTree};
use crate::cargo::profile_folder;
use crate::file_lock;
use crate::files::replace;
use crate::shell::Shell;

/// The note for one profile and one target, locked while cargo runs.
#[derive(Debug)]
pub struct CompiledSources {
    path: PathBuf,
    note: Note,
    /// When the note was written.
    written: SystemTime,
    _lock: std::fs::File,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Note {
    /// Whether there were artefacts before there was a note: then it does not know every crate of which there are some.
    is_late: bool,
    crates: BTreeMap<String, NotedCrate>,
}

#[derive(Debug, Serialize, Deserialize)]
struct NotedCrate {
    state: CrateState,
    /// Digests of contents, by file. A file outside of the crate has an absolute path.
    files: BTreeMap<String, String>,
}

/// How far the last build was that had a crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CrateState {
    /// It came to its end, without a change of the sources meanwhile.
    Finished,
    /// It has begun, when the note was written.
    Begun,
    /// It had begun before a build without this crate wrote the note, and nobody knows when.
    Abandoned,
}

impl CompiledSources {
    /// Opens the note for artefacts in `build_dir`; waits for another build that has it.
    pub fn open(build_dir: &Path, profile: &str, target: &str, shell: &Shell) -> Result<Self> {
        let folder = build_dir.join("racetrack-sources");
        fs::create_dir_all(&folder)?;
        let lock = file_lock::lock(&folder.join(".lock"), "another build in this checkout", shell)?;
        let path = folder.join(format!("{profile}-{target}.json"));
        let found = fs::read(&path).ok();
        let note: Option<Note> = found.and_then(|text| serde_json::from_slice(&text).ok());
        let artefacts = profile_folder(profile);
        let is_late = || ["", target].iter().any(|part| build_dir.join(part).join(artefacts).exists());
        Ok(Self {
            note: note.unwrap_or_else(|| Note { is_late: is_late(), ..Note::default() }),
            written: written(&path).unwrap_or(SystemTime::UNIX_EPOCH),
            path,
            _lock: lock,
        })
    }

    /// Adds the files outside of the crates that earlier builds have read for them.
    pub fn complete(&self, trees: &mut BTreeMap<String, SourceTree>) -> Result<()> {
        for (name, tree) in trees {
            let compiled = self.note.crates.get(name).into_iter().flat_map(|noted| noted.files.keys());
            for path in compiled.filter(|path| Path::new(path).is_absolute()) {
                tree.add(Path::new(path))?;
            }
        }
        Ok(())
    }

    /// The crates of which cargo may have compiled something else than what is there, without a way to see it.
    pub fn mistaken<'a>(&self, trees: &'a BTreeMap<String, SourceTree>) -> BTreeSet<&'a str> {
        let mistaken = trees.iter().filter(|(name, tree)| match self.note.crates.get(*name) {
            Some(compiled) => self.is_mistaken(compiled, tree),
            None => self.note.is_late,
        });
        mistaken.map(|(name, _)| name.as_str()).collect()
    }

    /// Notes what cargo is given to compile now.
    pub fn begin(&mut self, trees: &BTreeMap<String, SourceTree>) -> Result<()> {
        self.write(trees, CrateState::Begun)
    }

    /// Notes that cargo came to its end. `given` are the sources as they were when it began, `now` as they are, and `outside` are
    /// the files outside of each crate that were read for it. Returns the crates of which something was touched meanwhile; a change
    /// that was taken back counts as well, because cargo may have compiled what was there in between.
    pub fn finish(
        mut self,
        given: &BTreeMap<String, SourceTree>,
        mut now: BTreeMap<String, SourceTree>,
        outside: &BTreeMap<String, BTreeSet<PathBuf>>,
    ) -> Result<BTreeSet<String>> {
        self.complete(&mut now)?;
        let is_touched = |(name, tree): &(&String, &SourceTree)| given.get(*name) != Some(tree);
        let mut touched: BTreeSet<_> = now.iter().filter(is_touched).map(|(name, _)| name.clone()).collect();
        for (name, tree) in &mut now {
            for path in outside.get(name).into_iter().flatten() {
                let is_known = tree.contains(&path.to_string_lossy());
                let added = tree.add(path)?;
                if !is_known && added.is_none_or(|file| file.is_touched_since(self.written)) {
                    touched.insert(name.clone());
                }
            }
        }
        // The note of the beginning stays otherwise, with its time: whatever was touched since then is suspect.
        if touched.is_empty() {
            self.write(&now, CrateState::Finished)?;
        }
        Ok(touched)
    }

    fn is_mistaken(&self, noted: &NotedCrate, tree: &SourceTree) -> bool {
        let is_other = |path: &str, content: &[u8]| noted.files.get(path) != Some(&digest(content));
        let is_hidden = |(path, file): (&str, &SourceFile)| {
            // What was changed while a build ran that did not come to its end may have been compiled in between.
            let touched = noted.state == CrateState::Begun && file.is_touched_since(self.written);
            (is_other(path, &file.content) && file.modified <= self.written) || touched
        };
        noted.state == CrateState::Abandoned
            || tree.files().any(is_hidden)
            || noted.files.keys().any(|path| !tree.contains(path))
    }

    fn write(&mut self, trees: &BTreeMap<String, SourceTree>, state: CrateState) -> Result<()> {
        for noted in self.note.crates.values_mut().filter(|noted| noted.state == CrateState::Begun) {
            noted.state = CrateState::Abandoned;
        }
        let noted = |(name, tree): (&String, _)| (name.clone(), NotedCrate { state, files: digests(tree) });
        self.note.crates.extend(trees.iter().map(noted));
        let text = serde_json::to_vec(&self.note).context("cannot write the digests as JSON")?;
        // Also when nothing has changed: its time, by the clock of the files themselves, is what later changes are compared with.
        replace(&self.path, |temporary| std::fs::write(temporary, &text))?;
        self.written = written(&self.path)?;
        Ok(())
    }
}

fn written(note: &Path) -> std::io::Result<SystemTime> {
    fs::metadata(note)?.modified()
}

fn digests(tree: &SourceTree) -> BTreeMap<String, String> {
    tree.files().map(|(path, file)| (path.to_owned(), digest(&file.content))).collect()
}

#[cfg(test)]
mod tests;
