//! Generated workspaces on disk.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

use fs_err as fs;

use crate::sandbox::Sandbox;

const WORKSPACES: [&str; 2] = [".racetrack/alpha", ".racetrack/beta"];

fn generate(sandbox: &Sandbox) -> String {
    let outcome = sandbox.build_without_cargo();
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("component `alpha` was not built"), "{}", outcome.stderr);
    outcome.stderr
}

/// Every generated file and link with the time it was last written; folders are left out.
fn times(sandbox: &Sandbox) -> BTreeMap<PathBuf, SystemTime> {
    let mut times = BTreeMap::new();
    let mut queue: Vec<_> = WORKSPACES.iter().map(|workspace| sandbox.path(workspace)).collect();
    while let Some(folder) = queue.pop() {
        for entry in fs::read_dir(folder).expect("the workspace was generated") {
            let path = entry.expect("readable").path();
            let metadata = fs::symlink_metadata(&path).expect("readable");
            if metadata.is_dir() {
                queue.push(path);
            } else if !path.ends_with("Cargo.lock") {
                times.insert(path, metadata.modified().expect("files have times"));
            }
        }
    }
    times
}

fn main_rs(sandbox: &Sandbox, component: &str) -> String {
    sandbox.read(&format!(".racetrack/{component}/src/main.rs"))
}

/// The lines that only one of the two texts has.
fn changed_lines(before: &str, after: &str) -> Vec<String> {
    let diff = similar::TextDiff::from_lines(before, after);
    let changes = diff.iter_all_changes().filter(|change| change.tag() != similar::ChangeTag::Equal);
    changes.map(|change| format!("{}{}", change.tag(), change.value().trim_end())).collect()
}

#[test]
fn generated_text_is_reviewed() {
    let sandbox = Sandbox::new();
    generate(&sandbox);
    let filters = [("[0-9a-f]{64}", "DIGEST"), ("-[0-9a-f]{12}", "-DIGEST"), (r"\d+-\d+/", "SANDBOX/")];
    insta::with_settings!({filters => filters, omit_expression => true}, {
        insta::assert_snapshot!("main_rs", main_rs(&sandbox, "alpha"));
        // The inherited tables change with every dependency of the checkout.
        let manifest = sandbox.read(".racetrack/alpha/Cargo.toml");
        let (own, rest) = manifest.split_once("\n[workspace.package]").expect("keys are inherited");
        let patch = rest.find("\n# Plugins ask").expect("core is patched");
        insta::assert_snapshot!("manifest", format!("{own}\n…\n{}", &rest[patch..]));
    });
}

#[test]
fn generated_code_is_formatted() {
    let sandbox = Sandbox::new();
    generate(&sandbox);
    for component in ["alpha", "beta"] {
        let path = sandbox.path(&format!(".racetrack/{component}/src/main.rs"));
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        assert_cmd::Command::new("rustfmt")
            .args(["--check", "--edition", "2024", "--config-path", root])
            .arg(path)
            .assert()
            .success();
    }
}

#[test]
fn generating_twice_changes_no_file() {
    let sandbox = Sandbox::new();
    assert!(generate(&sandbox).contains("  Generating "));
    let before = times(&sandbox);
    assert!(before.len() > 15, "{before:?}");
    assert!(!generate(&sandbox).contains("  Generating "));
    assert_eq!(before, times(&sandbox));
}

#[test]
fn edited_files_are_reported_and_restored() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["check", "--generated"]).code, 0, "what was never generated was not edited");
    generate(&sandbox);
    assert_eq!(sandbox.run(&["check", "--generated"]).code, 0);
    let original = main_rs(&sandbox, "alpha");
    sandbox.write(".racetrack/alpha/src/main.rs", original.replace("priority: 5", "priority: 6"));
    sandbox.write(".racetrack/alpha/stray.rs", "");
    let outcome = sandbox.run(&["check", "--generated"]);
    assert_eq!(outcome.code, 1);
    insta::assert_snapshot!(outcome.stdout);
    assert!(outcome.stderr.contains("`cargo xtask build` restores them"), "{}", outcome.stderr);
    generate(&sandbox);
    assert_eq!(main_rs(&sandbox, "alpha"), original);
    assert!(!sandbox.path(".racetrack/alpha/stray.rs").exists());
}

#[test]
fn a_component_that_is_no_longer_declared_disappears() {
    let sandbox = Sandbox::new();
    generate(&sandbox);
    let declaration = sandbox.read("racetrack.toml");
    let beta = declaration.find("[components.beta]").expect("the base fixture has beta");
    let plugins = declaration.find("[[plugin]]").expect("the base fixture has plugins");
    let without = format!("{}{}", &declaration[..beta], &declaration[plugins..]);
    sandbox.write("racetrack.toml", without.replace("components = [\"beta\"]\n", ""));
    assert!(generate(&sandbox).contains("component `beta`, which is no longer declared"));
    assert!(sandbox.path(".racetrack/alpha").exists() && !sandbox.path(".racetrack/beta").exists());
}

#[test]
fn a_plugin_of_one_component_does_not_show_in_the_other() {
    let sandbox = Sandbox::new();
    generate(&sandbox);
    let before = (main_rs(&sandbox, "alpha"), sandbox.read(".racetrack/alpha/Cargo.toml"));
    let declaration = sandbox.read("racetrack.toml");
    let first = "[[plugin]]\npath = \"plugins/harbor-new\"\ncomponents = [\"beta\"]\n\n[[plugin]]\n";
    let declaration = declaration.replace("harbor-old", "one-next").replacen("[[plugin]]\n", first, 1);
    let (declaration, _) = declaration.rsplit_once("\n[[plugin]]").expect("the last plugin is replaced");
    sandbox.write("racetrack.toml", declaration);
    generate(&sandbox);
    assert!(main_rs(&sandbox, "beta").contains("harbor"));
    let changed = changed_lines(&before.0, &main_rs(&sandbox, "alpha"));
    assert!(changed.iter().all(|line| line.starts_with('-')), "only the removed plugin shows: {changed:?}");
}

#[test]
fn reordering_changes_only_positions_and_their_order() {
    let sandbox = Sandbox::new();
    generate(&sandbox);
    let before = main_rs(&sandbox, "beta");
    let declaration = sandbox.read("racetrack.toml");
    let swapped = declaration
        .replace("plugins/one\"", "X")
        .replace("plugins/three", "plugins/one")
        .replace('X', "plugins/three\"");
    sandbox.write("racetrack.toml", swapped);
    generate(&sandbox);
    insta::assert_snapshot!(changed_lines(&before, &main_rs(&sandbox, "beta")).join("\n"));
}

#[test]
fn a_changed_plugin_gets_a_folder_of_its_own() {
    let sandbox = Sandbox::new();
    generate(&sandbox);
    let links = || {
        let entries = fs::read_dir(sandbox.path(".racetrack/beta/plugins")).expect("there are plugins");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("readable").file_name()).collect();
        names.sort();
        names
    };
    let before = links();
    sandbox.write("plugins/one/src/lib.rs", sandbox.read("plugins/one/src/lib.rs") + "// more\n");
    generate(&sandbox);
    let after = links();
    assert_eq!(before.len(), after.len());
    assert_eq!(before.iter().filter(|name| !after.contains(name)).count(), 1);
}
