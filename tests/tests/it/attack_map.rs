//! The table of attacks in SECURITY.md names tests that are there.

use std::path::{Path, PathBuf};

use racetrack_tests::checkout;

#[test]
fn every_test_that_the_table_of_attacks_names_is_there() {
    let text = fs_err::read_to_string(checkout().join("SECURITY.md")).expect("is there");
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.contains("::"));
    let tests = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    let tests: Vec<&str> = tests.flat_map(|tests| tests.split('`').skip(1).step_by(2)).collect();
    assert!(tests.len() > 60, "{}", tests.len());
    let sources: Vec<_> = ["components", "core", "plugins", "tests"]
        .into_iter()
        .flat_map(|folder| sources_below(&checkout().join(folder)))
        .collect();
    let is_there = |test: &&str| {
        let (module, function) = test.rsplit_once("::").expect("a test is in a module");
        let definition = format!("fn {function}(");
        let files = ["", "/mod", "/tests"].map(|file| format!("{module}{file}"));
        sources.iter().any(|(path, text)| {
            files.iter().any(|file| path.with_extension("").ends_with(file)) && text.contains(&definition)
        })
    };
    let missing: Vec<_> = tests.into_iter().filter(|test| !is_there(test)).collect();
    assert_eq!(missing, [""; 0]);
}

fn sources_below(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs_err::read_dir(folder).expect("is a folder").map(|entry| entry.expect("is read").path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                return sources_below(&path);
            }
            let is_source = path.extension().is_some_and(|extension| extension == "rs");
            let text = is_source.then(|| fs_err::read_to_string(&path).expect("is text"));
            text.map(|text| (path, text)).into_iter().collect()
        })
        .collect()
}
