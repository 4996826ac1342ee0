//! Settings of cargo that change builds: in its configuration files, and in the environment.

use std::ffi::OsString;
use std::path::Path;

use toml::{Table, Value};

use super::Finding;
use racetrack_composer::cargo::cargo_configuration_files;
use racetrack_composer::checkout::Checkout;

const CHECK: &str = "cargo-configuration";

/// Keys of configuration files: what they do to a build.
const KEYS: [(&[&str], Effect); 12] = [
    (&["profile"], Effect::Wrong("it changes the profiles of the components, and no flag undoes that")),
    (&["build", "target"], Effect::Wrong("a build for a named target has other bytes")),
    (&["build", "rustc"], Effect::Note("components are compiled by another compiler")),
    (&["build", "rustc-wrapper"], Effect::Note(WRAPPER)),
    (&["build", "rustc-workspace-wrapper"], Effect::Note(WRAPPER)),
    (&["build", "rustflags"], Effect::Note(IGNORED)),
    (&["target"], Effect::Note("linkers and flags of it do not count in component builds; runners do")),
    (&["patch"], Effect::Note("it replaces crates of the components")),
    (&["source"], Effect::Note("it takes crates from elsewhere")),
    (&["env"], Effect::Note("build scripts see its variables")),
    (&["unstable"], Effect::Note("it turns on features that other machines may not have")),
    (&["net", "offline"], Effect::Note("crates that are not on this machine yet cannot be downloaded")),
];

/// Variables: what they do to a build.
const VARIABLES: [(&str, &str); 14] = [
    ("RUSTC", "components are compiled by another compiler"),
    ("RUSTC_WRAPPER", WRAPPER),
    ("RUSTC_WORKSPACE_WRAPPER", WRAPPER),
    ("CARGO_BUILD_RUSTC_WRAPPER", WRAPPER),
    ("CC", "C code is compiled by another compiler"),
    ("CXX", "C++ code is compiled by another compiler"),
    ("RUSTFLAGS", IGNORED),
    ("CARGO_ENCODED_RUSTFLAGS", IGNORED),
    ("CFLAGS", IGNORED),
    ("CXXFLAGS", IGNORED),
    ("HOST_CFLAGS", IGNORED),
    ("HOST_CXXFLAGS", IGNORED),
    ("TARGET_CFLAGS", IGNORED),
    ("TARGET_CXXFLAGS", IGNORED),
];

const WRAPPER: &str = "a wrapper around the compiler decides about the bytes, too";
const IGNORED: &str = "it counts for xtask itself, but not in component builds";

#[derive(Clone, Copy)]
enum Effect {
    Note(&'static str),
    Wrong(&'static str),
}

/// Looks at the configuration files that cargo reads in `folder`, and at the variables given.
pub(crate) fn configuration(
    folder: &Path,
    checkout: &Checkout,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in cargo_configuration_files(folder, checkout) {
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        let shown = checkout.display(&file);
        let Ok(table) = text.parse::<Table>() else {
            found.push(Finding::wrong(
                CHECK,
                format!("{shown} is no TOML"),
                "cargo does not start with it",
                "mend or remove it",
            ));
            continue;
        };
        for (key, effect) in KEYS.iter().filter(|(key, _)| has(&table, key)) {
            let what = format!("{shown} sets `{}`", key.join("."));
            found.push(match effect {
                Effect::Note(why) => Finding::note(CHECK, what, *why, "remove it if that is not wanted"),
                Effect::Wrong(why) => Finding::wrong(CHECK, what, *why, "remove it"),
            });
        }
    }
    for (name, value) in variables {
        let Some((name, why)) = VARIABLES.iter().find(|(known, _)| name == *known) else {
            continue;
        };
        if !value.is_empty() {
            let what = format!("the variable {name} is set");
            found.push(Finding::note(CHECK, what, *why, "unset it if that is not wanted"));
        }
    }
    if found.is_empty() {
        found.push(Finding::fine(CHECK, "nothing that changes builds"));
    }
    found
}

fn has(table: &Table, key: &[&str]) -> bool {
    let mut parts = key.iter();
    let first = parts.next().and_then(|part| table.get(*part));
    parts.fold(first, |found, part| found.and_then(|value: &Value| value.get(*part))).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_where_they_are_nested() {
        let table: Table = "[build]\ntarget = \"x\"\n[env]\nA = \"1\"".parse().unwrap();
        assert!(has(&table, &["build", "target"]) && has(&table, &["env"]));
        assert!(!has(&table, &["build", "rustc"]) && !has(&table, &["net", "offline"]));
    }
}
