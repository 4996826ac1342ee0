//! The paths of an archive so far. Each part of a path is stored once: long paths that begin alike would take much memory.

use std::collections::HashMap;
use std::path::Path;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
}

/// The path that is there already, and is not a folder both times.
#[derive(Debug)]
pub(super) struct DuplicatePath(pub(super) String);

/// The files and folders that there are, with folders that nothing but the paths of others names.
#[derive(Debug, Default)]
pub(super) struct KnownPaths {
    /// By the number of the folder, in which 0 is the root, and the name in it; with a number of its own.
    entries: HashMap<(usize, Box<str>), (usize, Kind)>,
}

impl KnownPaths {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds a path of plain names. It has one at least.
    pub(super) fn add(&mut self, path: &Path, kind: Kind) -> Result<(), DuplicatePath> {
        let text = path.to_string_lossy();
        let (mut folder, mut end) = (0, 0);
        for name in text.split('/') {
            end += name.len();
            let is_last = end == text.len();
            let next = self.entries.len() + 1;
            let own = if is_last { kind } else { Kind::Folder };
            let (number, known) = *self.entries.entry((folder, name.into())).or_insert((next, own));
            let is_new = number == next;
            if !is_new && (known, own) != (Kind::Folder, Kind::Folder) {
                return Err(DuplicatePath(text[..end].to_owned()));
            }
            folder = number;
            end += 1;
        }
        Ok(())
    }
}
