//! The source of a job as it comes with a request: tar, compressed by gzip.
//!
//! Such an archive comes from anybody who may deploy, so nothing in it is trusted: only files and folders are taken, each
//! once, below one folder, and never more than the limits allow. Lifecycle checks an archive before it deploys anything;
//! image-builder unpacks it, by the same rules.

mod error;
mod guarded;
mod known_paths;
mod limits;
mod paths;

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::read::GzDecoder;
use tar::{Archive, Entry, EntryType};

pub use self::error::ArchiveError;
use self::error::read_error;
use self::guarded::{End, Guarded};
use self::known_paths::{DuplicatePath, Kind, KnownPaths};
pub use self::limits::ArchiveLimits;
use self::limits::MAX_HEADER;
use self::paths::{escaped, inside};

/// How a tar archive ends: two empty blocks.
const END_MARKER: u64 = 1024;

/// Reads the archive of that size, in bytes, to its end, and writes nothing.
///
/// # Errors
/// Why it would not be unpacked.
pub fn check(archive: impl Read, size: u64, limits: ArchiveLimits) -> Result<(), ArchiveError> {
    read(archive, size, None, limits)
}

/// Unpacks the archive of that size, in bytes, into the folder, which is empty.
///
/// # Errors
/// Why it is not unpacked, or not wholly: the folder may hold a part of it.
pub fn unpack(
    archive: impl Read,
    size: u64,
    folder: &Path,
    limits: ArchiveLimits,
) -> Result<(), ArchiveError> {
    read(archive, size, Some(folder), limits)
}

fn read(
    archive: impl Read,
    size: u64,
    folder: Option<&Path>,
    limits: ArchiveLimits,
) -> Result<(), ArchiveError> {
    let limit = limits.size_of(size);
    let end = Rc::new(End::default());
    let inner = GzDecoder::new(archive);
    let mut archive = Archive::new(Guarded { inner, left: limit, end: Rc::clone(&end) });
    let damaged = |error| read_error(error, limit, &end);
    let mut known = KnownPaths::default();
    let mut entries = archive.entries().map_err(damaged)?;
    loop {
        end.header_left.set(Some(MAX_HEADER));
        let entry = entries.next();
        end.header_left.set(None);
        let Some(entry) = entry else { break };
        let mut entry = entry.map_err(damaged)?;
        if known.len() >= limits.entries {
            return Err(ArchiveError::TooMany { limit: limits.entries });
        }
        read_entry(&mut entry, folder, &mut known, damaged)?;
    }
    // The checksum stands at the very end.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(damaged)?;
    if end.zeros.get() < END_MARKER { Err(ArchiveError::CutOff) } else { Ok(()) }
}

fn read_entry(
    entry: &mut Entry<'_, impl Read>,
    folder: Option<&Path>,
    known: &mut KnownPaths,
    damaged: impl Fn(io::Error) -> ArchiveError,
) -> Result<(), ArchiveError> {
    let bytes = entry.path_bytes().into_owned();
    let shown = || escaped(&String::from_utf8_lossy(&bytes));
    let kind = match entry.header().entry_type() {
        EntryType::Regular | EntryType::Continuous => Kind::File,
        EntryType::Directory => Kind::Folder,
        // Notes for the whole archive, as `git archive` writes them.
        EntryType::XGlobalHeader => return Ok(()),
        other => return Err(ArchiveError::Kind { path: shown(), kind: name_of(other) }),
    };
    let path = inside(&bytes).ok_or_else(|| ArchiveError::Path { path: shown() })?;
    if path.as_os_str().is_empty() {
        let is_root = kind == Kind::Folder;
        return if is_root { Ok(()) } else { Err(ArchiveError::Path { path: shown() }) };
    }
    known.add(&path, kind).map_err(|DuplicatePath(path)| ArchiveError::Twice { path: escaped(&path) })?;
    match (kind, folder.map(|folder| folder.join(&path))) {
        (Kind::Folder, Some(target)) => fs_err::create_dir_all(target).map_err(ArchiveError::Write),
        (Kind::Folder, None) => Ok(()),
        (Kind::File, Some(target)) => {
            let file = create(entry, &target)?;
            copy(entry, file, damaged)
        }
        (Kind::File, None) => copy(entry, io::sink(), damaged),
    }
}

fn create(entry: &Entry<'_, impl Read>, target: &Path) -> Result<File, ArchiveError> {
    if let Some(parent) = target.parent() {
        fs_err::create_dir_all(parent).map_err(ArchiveError::Write)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        let is_executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, if is_executable { 0o755 } else { 0o644 });
    }
    options.open(target).map_err(ArchiveError::Write)
}

fn copy(
    entry: &mut Entry<'_, impl Read>,
    mut target: impl io::Write,
    damaged: impl Fn(io::Error) -> ArchiveError,
) -> Result<(), ArchiveError> {
    let size = entry.size();
    let mut chunk = vec![0; 64 * 1024];
    let mut copied = 0;
    loop {
        let length = entry.read(&mut chunk).map_err(&damaged)?;
        if length == 0 {
            return if copied == size { Ok(()) } else { Err(ArchiveError::CutOff) };
        }
        target.write_all(&chunk[..length]).map_err(ArchiveError::Write)?;
        copied += length as u64;
    }
}

const fn name_of(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Link => "hard links",
        EntryType::Symlink => "symbolic links",
        EntryType::Char | EntryType::Block => "devices",
        EntryType::Fifo => "pipes",
        EntryType::GNUSparse => "sparse files",
        _ => "entries of unknown types",
    }
}

#[cfg(test)]
mod tests;
