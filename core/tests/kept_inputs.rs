//! The inputs that fuzzing has kept, read once more.

use std::path::Path;

use racetrack_core::JobManifest;

#[test]
fn job_manifests_do_no_harm() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/job-manifest");
    let inputs = std::fs::read_dir(folder).expect("there are inputs");
    let texts = inputs.map(|input| std::fs::read(input.expect("readable").path()).expect("a file"));
    let read =
        texts.filter_map(|text| String::from_utf8(text).ok()).map(|text| JobManifest::parse(&text).is_ok());
    let read: Vec<_> = read.collect();
    assert!(read.contains(&true) && read.contains(&false), "{read:?}");
}
