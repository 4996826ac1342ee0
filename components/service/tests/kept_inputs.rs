//! The inputs that fuzzing has kept, read once more.

use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use racetrack_service::source_archive::{ArchiveLimits, check, unpack};

const LIMITS: ArchiveLimits = ArchiveLimits { size: 1 << 20, entries: 64 };

/// As the fuzz target does: what is no gzip is tar.
fn compressed(bytes: Vec<u8>) -> Vec<u8> {
    if bytes.starts_with(b"\x1f\x8b") {
        return bytes;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&bytes).expect("memory takes bytes");
    encoder.finish().expect("memory takes bytes")
}

#[test]
fn what_was_checked_is_unpacked_into_its_folder_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/build-context");
    let mut unpacked = 0;
    for input in fs_err::read_dir(folder).expect("there are inputs") {
        let archive = compressed(fs_err::read(input.expect("readable").path()).expect("a file"));
        let size = archive.len() as u64;
        if check(&*archive, size, LIMITS).is_err() {
            continue;
        }
        let base = tempfile::tempdir().expect("a temporary folder");
        let folder = base.path().join("source");
        fs_err::create_dir(&folder).expect("it is new");
        unpack(&*archive, size, &folder, LIMITS).expect("what was checked is unpacked");
        assert_eq!(fs_err::read_dir(base.path()).expect("readable").count(), 1);
        unpacked += 1;
    }
    assert!(unpacked > 0);
}
