//! The source of a job as it comes with a request: tar, compressed by gzip.
//!
//! Such an archive comes from anybody who may deploy, so nothing in it is trusted: only files and folders are taken, each
//! once, below one folder, and never more than the limits allow. Lifecycle checks an archive before it deploys anything;
//! image-builder unpacks it, by the same rules.

mod guarded;
mod known_paths;

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flate2::read::GzDecoder;
use tar::{Archive, Entry, EntryType};

use self::guarded::{End, Guarded, OverLimit, over_limit};
use self::known_paths::{Kind, KnownPaths, Twice};

/// The longest path in an archive, in bytes.
const MAX_PATH: usize = 1024;

/// An archive may always grow to this size, in bytes; beyond, [`MAX_RATIO`] holds.
const FREE_SIZE: u64 = 16 * 1024 * 1024;

/// How many times larger than the archive its contents may be.
const MAX_RATIO: u64 = 200;

/// How much stands before the content of an entry, in bytes: its header, and others with a long path and notes. They are
/// read into memory.
const MAX_HEADER: u64 = 256 * 1024;

/// How a tar archive ends: two empty blocks.
const END_MARKER: u64 = 1024;

/// How much may come out of an archive.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveLimits {
    /// How many bytes, with the archive's own.
    pub size: u64,
    /// How many files and folders.
    pub entries: usize,
}

impl Default for ArchiveLimits {
    /// What both components allow unless they are configured otherwise.
    fn default() -> Self {
        Self { size: 512 * 1024 * 1024, entries: 50_000 }
    }
}

/// Why an archive is not unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// It cannot be read.
    #[error("it is not a tar archive compressed by gzip, or damaged")]
    Damaged(#[source] io::Error),
    /// It ends too early.
    #[error("it is cut off")]
    CutOff,
    /// More would come out of it than may.
    #[error("it is larger than {limit} bytes unpacked")]
    TooLarge {
        /// What may come out, in bytes.
        limit: u64,
    },
    /// It has more entries than it may.
    #[error("it has more than {limit} files and folders")]
    TooMany {
        /// How many it may have.
        limit: usize,
    },
    /// What stands before an entry is longer than any path and notes.
    #[error("an entry has more than {MAX_HEADER} bytes of headers")]
    LongHeader,
    /// A path leads out of it, or is none.
    #[error("{path}: the path is not plain text that stays inside the archive")]
    Path {
        /// The path, as far as it can be shown.
        path: String,
    },
    /// An entry is neither a file nor a folder.
    #[error("{path}: {kind} are not allowed; an archive holds files and folders")]
    Kind {
        /// Where it is in the archive.
        path: String,
        /// What it is, in the plural.
        kind: &'static str,
    },
    /// Two entries are the same file.
    #[error("{path}: it is in the archive twice")]
    Twice {
        /// Where it is in the archive.
        path: String,
    },
    /// The folder cannot take it.
    #[error("cannot write what is in it")]
    Write(#[source] io::Error),
}

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
    let ratio_limit = size.saturating_mul(MAX_RATIO).max(FREE_SIZE);
    let limit = limits.size.min(ratio_limit);
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
    known.add(&path, kind).map_err(|Twice(path)| ArchiveError::Twice { path: escaped(&path) })?;
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

fn escaped(path: &str) -> String {
    path.chars().take(200).collect::<String>().escape_debug().to_string()
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

/// The path, if it is plain and stays inside; empty for the root of the archive.
fn inside(bytes: &[u8]) -> Option<PathBuf> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text.starts_with('/') || text.len() > MAX_PATH || text.contains(|c: char| c.is_control() || c == '\\')
    {
        return None;
    }
    let mut path = PathBuf::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            _ if part.len() > 255 => return None,
            _ => path.push(part),
        }
    }
    Some(path)
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

fn read_error(error: io::Error, limit: u64, end: &End) -> ArchiveError {
    match (error.get_ref().and_then(|inner| over_limit(inner)), error.kind()) {
        (Some(OverLimit::Size), _) => ArchiveError::TooLarge { limit },
        (Some(OverLimit::Header), _) => ArchiveError::LongHeader,
        (None, io::ErrorKind::UnexpectedEof) => ArchiveError::CutOff,
        (None, _) if end.is_reached.get() => ArchiveError::CutOff,
        (None, _) => ArchiveError::Damaged(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    const LIMITS: ArchiveLimits = ArchiveLimits { size: 100_000, entries: 10 };

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("is in memory");
        encoder.finish().expect("is in memory")
    }

    /// Paths are written as they are: the crate's own builder refuses the hostile ones.
    fn header(path: &str, kind: EntryType, size: usize) -> Header {
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_size(size as u64);
        header.set_mode(0o640);
        header.set_cksum();
        header
    }

    fn tar(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (path, kind, content) in entries {
            builder.append(&header(path, *kind, content.len()), content.as_bytes()).expect("is in memory");
        }
        builder.into_inner().expect("is in memory")
    }

    fn files(entries: &[(&str, &str)]) -> Vec<u8> {
        let files: Vec<_> =
            entries.iter().map(|(path, content)| (*path, EntryType::Regular, *content)).collect();
        gzip(&tar(&files))
    }

    /// Unpacks into a folder of a folder, and tells whether anything came outside of it.
    fn unpacked(archive: &[u8], limits: ArchiveLimits) -> (tempfile::TempDir, Result<(), ArchiveError>) {
        let outside = tempfile::tempdir().expect("can be made");
        let folder = outside.path().join("workspace");
        std::fs::create_dir(&folder).expect("can be made");
        let size = archive.len() as u64;
        let result = unpack(archive, size, &folder, limits);
        let told = |result: &Result<(), ArchiveError>| result.as_ref().err().map(ToString::to_string);
        assert_eq!(told(&check(archive, size, limits)), told(&result), "checked by other rules");
        assert_eq!(std::fs::read_dir(outside.path()).expect("is there").count(), 1, "something is outside");
        (outside, result)
    }

    #[track_caller]
    fn refused(archive: &[u8], text: &str) {
        let (_outside, result) = unpacked(archive, LIMITS);
        let error = racetrack_core::error::chain(&result.expect_err(text));
        assert!(error.contains(text), "{error}");
    }

    #[test]
    fn files_and_folders_come_out() {
        let archive = gzip(&tar(&[
            ("./", EntryType::Directory, ""),
            ("./a.txt", EntryType::Regular, "one"),
            ("sub/", EntryType::Directory, ""),
            ("sub/deep/b.txt", EntryType::Regular, "two"),
        ]));
        let (outside, result) = unpacked(&archive, LIMITS);
        result.expect("is valid");
        let read = |path| std::fs::read_to_string(outside.path().join("workspace").join(path)).expect(path);
        assert_eq!((read("a.txt"), read("sub/deep/b.txt")), ("one".to_owned(), "two".to_owned()));
    }

    #[test]
    fn paths_stay_inside() {
        for path in ["/etc/x", "../x", "a/../../x", "a/..", "a\\b", "a\nb"] {
            refused(&files(&[(path, "x")]), "the path is not plain text that stays inside");
        }
        refused(&files(&[("./", "x")]), "the path is not plain text");
        let mut bad_utf8 = header("x", EntryType::Regular, 0);
        bad_utf8.as_mut_bytes()[0] = 0xff;
        bad_utf8.set_cksum();
        let mut builder = Builder::new(Vec::new());
        builder.append(&bad_utf8, io::empty()).expect("is in memory");
        refused(&gzip(&builder.into_inner().expect("is in memory")), "the path is not plain text");
    }

    #[test]
    fn links_and_special_files_are_refused() {
        for (kind, text) in [
            (EntryType::Symlink, "symbolic links"),
            (EntryType::Link, "hard links"),
            (EntryType::Char, "devices"),
            (EntryType::Block, "devices"),
            (EntryType::Fifo, "pipes"),
            (EntryType::GNUSparse, "sparse files"),
            (EntryType::new(b'Z'), "unknown types"),
        ] {
            let mut link = header("x", kind, 0);
            link.as_mut_bytes()[157..168].copy_from_slice(b"/etc/passwd");
            link.as_gnu_mut().expect("is one").set_real_size(0);
            link.set_cksum();
            let mut builder = Builder::new(Vec::new());
            builder.append(&link, io::empty()).expect("is in memory");
            refused(&gzip(&builder.into_inner().expect("is in memory")), text);
        }
    }

    #[test]
    fn nothing_comes_twice() {
        refused(&files(&[("a", "1"), ("./a", "2")]), "a: it is in the archive twice");
        refused(&files(&[("a", "1"), ("a/b", "2")]), "a: it is in the archive twice");
        refused(&files(&[("a/b", "1"), ("a", "2")]), "a: it is in the archive twice");
        let twice = gzip(&tar(&[("a/", EntryType::Directory, ""), ("a/", EntryType::Directory, "")]));
        unpacked(&twice, LIMITS).1.expect("a folder may come twice");
    }

    #[test]
    fn limits_hold() {
        let names: Vec<_> = (0..11).map(|number| number.to_string()).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
        refused(&files(&many), "more than 10 files and folders");
        refused(&files(&[("a/b/c/d/e/f/g/h/i/j/k", ""), ("x", "")]), "more than 10 files and folders");
        refused(&files(&[("a", &"x".repeat(100_000))]), "larger than 100000 bytes");
        let bomb = files(&[("a", &"\0".repeat(17 * 1024 * 1024))]);
        let (_outside, result) = unpacked(&bomb, ArchiveLimits { size: u64::MAX, entries: 10 });
        assert!(matches!(result, Err(ArchiveError::TooLarge { limit: FREE_SIZE })), "{result:?}");
    }

    /// The reader of archives takes them into memory.
    #[test]
    fn long_paths_and_notes_do_not_count_as_content() {
        let long = "x".repeat(3 * 1024 * 1024);
        let limits = ArchiveLimits { size: u64::MAX, entries: 10 };
        for kind in
            [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader, EntryType::XGlobalHeader]
        {
            let archive = gzip(&tar(&[("long", kind, &long), ("a", EntryType::Regular, "1")]));
            let (_outside, result) = unpacked(&archive, limits);
            assert!(matches!(result, Err(ArchiveError::LongHeader)), "{kind:?}: {result:?}");
        }
        let path = "long/".repeat(40);
        let archive = gzip(&tar(&[("long", EntryType::GNULongName, &path), ("a", EntryType::Directory, "")]));
        unpacked(&archive, limits).1.expect("the path is of a usual length");
        unpacked(&files(&[("a", &long), ("b", &long)]), limits).1.expect("the files may be large");
    }

    #[test]
    fn cut_off_and_damaged_archives_are_refused() {
        let whole = tar(&[("a", EntryType::Regular, &"x".repeat(2000)), ("b", EntryType::Regular, "y")]);
        for length in [100, 600, 1000, 2560, 2600, whole.len() - 1024] {
            refused(&gzip(&whole[..length]), "cut off");
        }
        let packed = gzip(&whole);
        for length in [0, 5, 20, packed.len() - 9, packed.len() - 1] {
            refused(&packed[..length], "cut off");
        }
        refused(b"no archive at all", "not a tar archive");
        refused(&gzip(&[b'x'; 2000]), "not a tar archive");
        let mut wrong_checksum = packed;
        let end = wrong_checksum.len();
        wrong_checksum[end - 8] ^= 1;
        refused(&wrong_checksum, "damaged");
    }
}
