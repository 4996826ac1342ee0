//! Everything a declaration can get wrong: each case is a folder of `fixtures/bad`, each answer a snapshot.

use std::collections::BTreeSet;
use std::path::Path;

use assert_cmd::Command;
use fs_err as fs;

use crate::remote_bundles;
use crate::sandbox::{Outcome, Sandbox};

/// The lines `error[code]: …` of an answer, as codes.
fn codes(outcome: &Outcome) -> BTreeSet<String> {
    let code = |line: &str| Some(line.strip_prefix("error[")?.split_once(']')?.0.to_owned());
    outcome.stderr.lines().filter_map(code).collect()
}

fn rejected(name: &str, outcome: &Outcome) -> BTreeSet<String> {
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{name}: {}", outcome.stderr);
    insta::with_settings!({snapshot_path => "snapshots/bad", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, outcome.stderr);
    });
    codes(outcome)
}

/// Cases that are no folder, because git or an editor would not keep them as they are.
fn written_cases() -> Vec<(&'static str, Sandbox)> {
    let written = |name, content: &[u8]| {
        let sandbox = Sandbox::new();
        sandbox.write("racetrack.toml", content);
        (name, sandbox)
    };
    let absent = Sandbox::new();
    fs::remove_file(absent.path("racetrack.toml")).expect("the fixture has a declaration");
    vec![
        written("not-utf8", b"[build]\nprofile = \"release\xff\"\n"),
        written("declaration-too-large", &vec![b'\n'; 1024 * 1024 + 1]),
        written("empty-declaration", b""),
        written("control-characters", b"[build]\nprofile = \"a\0b\"\n"),
        ("missing-declaration", absent),
    ]
}

/// Cases that only a locked build refuses.
fn locked_cases() -> Vec<(&'static str, Sandbox)> {
    let edited = Sandbox::new();
    assert_eq!(edited.run(&["lock"]).code, 0);
    edited.write("plugins/one/src/lib.rs", edited.read("plugins/one/src/lib.rs") + "// edited\n");
    vec![("lock-missing", Sandbox::new()), ("lock-mismatch", edited)]
}

#[test]
fn every_mistake_has_its_answer() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bad");
    let entries = fs::read_dir(fixtures).expect("there are fixtures");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("a text")).collect();
    names.sort();
    let mut seen = BTreeSet::new();
    for name in &names {
        seen.extend(rejected(name, &Sandbox::with(&format!("bad/{name}")).run(&["check"])));
    }
    for (name, sandbox) in written_cases() {
        let outcome = sandbox.run(&["check"]);
        let absolute = sandbox.folder.parent().expect("has a parent").display().to_string();
        let stderr = outcome.stderr.replace(&absolute, "CHECKOUT/target/xtask-tests");
        seen.extend(rejected(name, &Outcome { stderr, ..outcome }));
    }
    for (name, sandbox) in locked_cases() {
        seen.extend(rejected(name, &sandbox.run(&["build", "--locked"])));
    }
    for (name, outcome) in remote_bundles::rejected_cases() {
        seen.extend(rejected(name, &outcome));
    }
    let list = include_str!("../../../composer/src/codes.rs");
    let known: Vec<_> =
        list.lines().filter_map(|line| line.strip_suffix("\";")?.split_once(" = \"")).collect();
    let untested: Vec<_> = known.iter().map(|(_, code)| *code).filter(|code| !seen.contains(*code)).collect();
    assert!(known.len() > 30 && untested.is_empty(), "codes without a case: {untested:?}");
}

#[test]
fn mistakes_of_one_file_are_reported_together() {
    let found = codes(&Sandbox::with("bad/many-mistakes").run(&["check"]));
    let expected = [
        "missing-component",
        "missing-source",
        "protected-out-dir",
        "unknown-component",
        "unknown-key",
        "unknown-profile",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}

#[test]
fn every_command_refuses_a_bad_declaration() {
    let sandbox = Sandbox::with("bad/unknown-profile");
    for arguments in [&["plan"][..], &["plan", "--format", "json"], &["build"], &["up"]] {
        let outcome = sandbox.run(arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{arguments:?}");
        assert!(codes(&outcome).contains("unknown-profile"), "{arguments:?}");
    }
    assert!(!sandbox.path(".racetrack").exists(), "a refused declaration leaves no trace");
}

#[test]
fn a_byte_order_mark_is_no_mistake() {
    let sandbox = Sandbox::new();
    sandbox.write("racetrack.toml", format!("\u{feff}{}", sandbox.read("racetrack.toml")));
    assert_eq!(sandbox.run(&["check"]).code, 0);
}

#[test]
fn a_declaration_outside_of_the_checkout_is_refused() {
    let sandbox = Sandbox::new();
    let elsewhere = tempfile::tempdir().expect("there is room for a folder");
    let declaration = elsewhere.path().join("racetrack.toml");
    fs::write(&declaration, sandbox.read("racetrack.toml")).expect("the file is writable");
    let mut command = Command::cargo_bin("xtask").expect("xtask was built");
    let outcome = sandbox.finish(command.arg("check"), &declaration, &[]);
    assert_eq!(outcome.code, 1);
    assert_eq!(codes(&outcome), ["outside-checkout".to_owned()].into());
}

#[cfg(unix)]
#[test]
fn a_link_out_of_the_checkout_is_refused() {
    let sandbox = Sandbox::new();
    std::os::unix::fs::symlink("/", sandbox.path("plugins/root")).expect("links can be made");
    sandbox.write("racetrack.toml", sandbox.components() + "\n[[plugin]]\npath = \"plugins/root\"\n");
    assert_eq!(codes(&sandbox.run(&["check"])), ["outside-checkout".to_owned()].into());
}
