//! A ZIP bundle of a plugin.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| racetrack_bundle::fuzzing::archive(bytes));
