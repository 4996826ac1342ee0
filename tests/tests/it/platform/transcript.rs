//! What users type and see.

use racetrack_tests::{InstalledClient, Platform};

/// Settings under which the transcripts of two runs are the same text.
pub(super) fn settings(platform: &Platform) -> insta::Settings {
    let folder = platform.path("").display().to_string();
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(folder.trim_end_matches('/'), "[folder]");
    settings.add_filter(r"127\.0\.0\.1:\d+", "[address]");
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ?", "[time]");
    settings.add_filter(r"traceback=.*", "traceback=[places]");
    settings.add_filter(r"(?s)Job logs:\n.*?\n\n", "Job logs:\n[lines]\n\n");
    settings
}

/// Compares what a client typed and saw with what was reviewed.
pub(super) fn check(name: &str, client: &InstalledClient, platform: &Platform) {
    settings(platform).bind(|| insta::assert_snapshot!(name, client.transcript()));
}
