//! A `plugin-manifest.yaml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| racetrack_bundle::fuzzing::plugin_manifest(bytes));
