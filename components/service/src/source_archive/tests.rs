use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::limits::FREE_SIZE;
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
    let files: Vec<_> = entries.iter().map(|(path, content)| (*path, EntryType::Regular, *content)).collect();
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
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader, EntryType::XGlobalHeader]
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
