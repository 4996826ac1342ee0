//! The source of a job as it comes with a request. Bytes that are no gzip are taken for tar, and compressed here: a fuzzer does not
//! guess checksums.
#![no_main]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use racetrack_service::source_archive::{ArchiveLimits, check, unpack};

const LIMITS: ArchiveLimits = ArchiveLimits { size: 1 << 20, entries: 64 };

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let compressed;
    let archive = if bytes.starts_with(b"\x1f\x8b") {
        bytes
    } else {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("memory takes bytes");
        compressed = encoder.finish().expect("memory takes bytes");
        &compressed
    };
    let size = archive.len() as u64;
    if check(archive, size, LIMITS).is_err() {
        return;
    }
    // What lifecycle accepts, image-builder unpacks: into its folder and nowhere else.
    let base = tempfile::tempdir().expect("a temporary folder");
    let folder = base.path().join("source");
    std::fs::create_dir(&folder).expect("it is empty");
    unpack(archive, size, &folder, LIMITS).expect("what was checked is unpacked");
    assert_eq!(std::fs::read_dir(base.path()).expect("readable").count(), 1);
});
