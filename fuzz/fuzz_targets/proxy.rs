//! A call of a job: its path and its headers.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| racetrack_lifecycle::proxy::fuzzing::call(bytes));
