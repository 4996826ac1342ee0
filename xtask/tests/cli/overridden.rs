//! `--override`: another folder in place of a declared source.

use crate::sandbox::{Outcome, Sandbox};

/// A locked declaration, and a folder with an edited copy of plugin `two` in another version.
fn with_work() -> Sandbox {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["lock"]).code, 0);
    for file in ["Cargo.toml", "plugin-manifest.yaml", "src/lib.rs"] {
        let text = sandbox.read(&format!("plugins/two/{file}"));
        sandbox.write(&format!("work/two/{file}"), text.replace("2.1.0", "2.2.0"));
    }
    sandbox
}

fn refused(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let Outcome { code, stdout, stderr } = sandbox.run(arguments);
    assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
    stderr
}

#[test]
fn the_folder_takes_the_place_of_the_source() {
    let sandbox = with_work();
    let outcome = sandbox.run(&["plan", "--override", "two=work/two"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.contains("two 2.2.0") && outcome.stdout.contains("from work/two"));
    insta::assert_snapshot!(outcome.stderr, @"warning: plugin `two` 2.2.0 is built from `work/two` instead of `plugins/two`; the components that hold it are unlocked");
    let check = sandbox.run(&["check", "--override", "two=work/two"]);
    assert_eq!((check.code, check.stdout.as_str()), (0, ""), "the order is the same: {}", check.stderr);
    assert!(!check.stderr.contains("note"), "the warning says it all: {}", check.stderr);
    sandbox.edit("work/two/plugin-manifest.yaml", "priority: 5", "priority: -5");
    assert_eq!(sandbox.run(&["check", "--override", "two=work/two"]).code, 1, "another order");
}

#[test]
fn components_with_an_override_are_unlocked() {
    let sandbox = with_work();
    let build = |arguments: &[&str]| {
        let arguments = [&["build", "--override"], arguments].concat();
        sandbox.run_with(&arguments, &[("CARGO", "false")]).stderr
    };
    let lock = sandbox.read("racetrack.lock");
    assert!(build(&["two=work/two"]).contains("component `alpha` with 4 plugins, unlocked\n"));
    let same = build(&["two=plugins/two"]);
    assert!(same.contains("component `alpha` with 4 plugins, unlocked\n"), "though nothing differs: {same}");
    let other = build(&["two=work/two", "--component", "beta"]);
    assert!(other.contains("component `beta` with 4 plugins\n"), "`two` is not for beta: {other}");
    assert_eq!(sandbox.read("racetrack.lock"), lock);
    fs_err::remove_file(sandbox.path("racetrack.lock")).expect("there is a lock");
    assert!(build(&["two=work/two"]).contains("component `alpha` with 4 plugins, unlocked\n"));
    assert!(!sandbox.path("racetrack.lock").exists(), "an override is nothing to lock");
}

#[test]
fn paths_are_relative_to_the_current_folder() {
    let sandbox = with_work();
    let mut command = assert_cmd::Command::cargo_bin("xtask").expect("xtask was built");
    let absolute = format!("two={}", sandbox.path("work/two").display());
    let outcome =
        sandbox.finish(command.args(["plan", "--override", &absolute]), &sandbox.path("racetrack.toml"), &[]);
    assert!(outcome.stdout.contains("from work/two"), "{}", outcome.stderr);
}

#[test]
fn a_locked_build_takes_no_override() {
    let sandbox = with_work();
    for command in ["build", "up"] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(refused(&sandbox, &[command, "--locked", "--override", "two=work/two"]), @"error: `--locked` builds what the lock says, `--override` builds something else; leave one of the two out");
        }
    }
    assert!(!sandbox.path(".racetrack").exists());
    for command in [&["lock"][..], &["update"], &["update", "two"], &["outdated"]] {
        let stderr = refused(&sandbox, &[command, &["--override", "two=work/two"]].concat());
        assert!(stderr.contains("unexpected argument '--override'"), "{stderr}");
    }
}

#[test]
fn folders_that_cannot_replace_a_source_are_refused() {
    let sandbox = with_work();
    let refused = |argument: &str| refused(&sandbox, &["check", "--override", argument]);
    insta::assert_snapshot!(refused("tow=work/two"), @r"
    error: cannot use `--override tow=work/two`
      caused by: no plugin `tow` is declared; did you mean `two`?
    ");
    insta::assert_snapshot!(refused("three=work/two"), @r"
    error: cannot use `--override three=work/two`
      caused by: the folder holds plugin `two`
    ");
    insta::assert_snapshot!(refused("one=work/two"), @r"
    error: cannot use `--override one=work/two`
      caused by: plugin `one` is declared in several versions (1.0.0, 1.1.0), and an override cannot tell them apart
    ");
    insta::assert_snapshot!(refused("two=racetrack.toml"), @r"
    error: cannot use `--override two=racetrack.toml`
      caused by: it is no folder; bundles cannot replace a source
    ");
    insta::assert_snapshot!(refused("two=/"), @r"
    error: cannot use `--override two=/`
      caused by: the folder is outside of the checkout
    ");
    insta::assert_snapshot!(refused("two=work/nothing"), @r"
    error: cannot use `--override two=work/nothing`
      caused by: the folder cannot be found
      caused by: No such file or directory (os error 2)
    ");
    assert!(refused("work/two").contains("expected NAME=PATH"));
    let outcome =
        sandbox.run(&["check", "--override", "two=work/two", "--override", "two=plugins/two"]).stderr;
    insta::assert_snapshot!(outcome, @r"
    warning: plugin `two` 2.2.0 is built from `work/two` instead of `plugins/two`; the components that hold it are unlocked
    error: cannot use `--override two=plugins/two`
      caused by: plugin `two` is overridden twice
    ");
}

#[test]
fn mistakes_in_the_folder_are_told_like_those_of_a_source() {
    let sandbox = with_work();
    sandbox.edit("work/two/plugin-manifest.yaml", "priority: 5", "priority: high");
    let outcome = sandbox.run(&["check", "--override", "two=work/two"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("--> work/two/plugin-manifest.yaml:3"), "{}", outcome.stderr);
}
