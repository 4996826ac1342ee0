//! A `racetrack.toml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| racetrack_composer::fuzzing::declaration(bytes));
