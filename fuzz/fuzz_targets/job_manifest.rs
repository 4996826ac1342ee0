//! A `job.yaml`.
#![no_main]

use racetrack_core::JobManifest;

libfuzzer_sys::fuzz_target!(|text: &str| {
    // Whoever reports a mistake prints it with its source.
    if let Err(error) = JobManifest::parse(text) {
        let mut error: Option<&dyn std::error::Error> = Some(&error);
        while let Some(link) = error {
            assert!(!link.to_string().is_empty());
            error = link.source();
        }
    }
});
