//! The tests that ARCHITECTURE.md and SECURITY.md name are there.

use std::path::{Path, PathBuf};

use racetrack_structure::packages::checkout;

/// The folders that tests are in.
const FOLDERS: [&str; 8] =
    ["bundle", "client", "components", "composer", "core", "plugins", "tests", "xtask"];

#[test]
fn every_test_that_the_invariants_and_the_table_of_attacks_name_is_there() {
    let invariants = named_in("ARCHITECTURE.md");
    assert!(invariants.len() > 50, "{}", invariants.len());
    let attacks = named_in("SECURITY.md");
    assert!(attacks.len() > 60, "{}", attacks.len());
    let sources: Vec<_> =
        FOLDERS.into_iter().flat_map(|folder| sources_below(&checkout().join(folder))).collect();
    let is_there = |test: &&String| {
        let (module, function) = test.rsplit_once("::").expect("a test is in a module");
        let definition = format!("fn {function}(");
        let files = ["", "/mod", "/tests"].map(|file| format!("{module}{file}"));
        sources.iter().any(|(path, text)| {
            files.iter().any(|file| path.with_extension("").ends_with(file)) && text.contains(&definition)
        })
    };
    let missing: Vec<_> = invariants.iter().chain(&attacks).filter(|test| !is_there(test)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// What a document has in backquotes in the form of a test: `module::function`, all in lower case.
fn named_in(document: &str) -> Vec<String> {
    let text = fs_err::read_to_string(checkout().join(document)).expect("is there");
    let is_test = |name: &&str| {
        let parts: Vec<_> = name.split("::").collect();
        let is_name = |part: &&str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        parts.len() == 2 && parts.iter().all(is_name) && parts[1].matches('_').count() >= 2
    };
    text.split('`').skip(1).step_by(2).filter(is_test).map(str::to_owned).collect()
}

fn sources_below(folder: &Path) -> Vec<(PathBuf, String)> {
    let entries = fs_err::read_dir(folder).expect("is a folder").map(|entry| entry.expect("is read").path());
    entries
        .flat_map(|path| {
            if path.is_dir() && !path.ends_with("target") {
                return sources_below(&path);
            }
            let is_source = path.extension().is_some_and(|extension| extension == "rs");
            let text = is_source.then(|| fs_err::read_to_string(&path).expect("is text"));
            text.map(|text| (path, text)).into_iter().collect()
        })
        .collect()
}
