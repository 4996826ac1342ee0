//! Every code is shown by some snapshot.

/// Where snapshots of diagnostics are.
const FIXTURES: [&str; 4] = [
    include_str!("archives.rs"),
    include_str!("crates.rs"),
    include_str!("folders.rs"),
    include_str!("manifests.rs"),
];

#[test]
fn every_code_has_a_fixture() {
    let is_shown = |code: &racetrack_bundle::Code| {
        let shown = format!("error[{code}]");
        FIXTURES.iter().any(|fixtures| fixtures.contains(&shown))
    };
    let without: Vec<_> = racetrack_bundle::codes::ALL.iter().filter(|code| !is_shown(code)).collect();
    assert!(without.is_empty(), "no fixture shows {without:?}");
}
