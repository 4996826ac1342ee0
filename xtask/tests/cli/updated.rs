//! `lock`, `update` and `outdated`: accepting changes, and seeing them.

use crate::sandbox::{Outcome, Sandbox};

fn locked() -> Sandbox {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["lock"]).code, 0);
    sandbox
}

fn accepted(outcome: &Outcome) -> &str {
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    &outcome.stdout
}

/// Two plugins with other content, one with another version, one gone, one new.
fn changed() -> Sandbox {
    let sandbox = locked();
    sandbox.edit("plugins/one/src/lib.rs", "//!", "//! Now");
    sandbox.edit("plugins/two/plugin-manifest.yaml", "priority: 5", "priority: -5");
    sandbox.edit("plugins/one-next/plugin-manifest.yaml", "1.1.0", "1.2.0");
    sandbox.edit("plugins/one-next/Cargo.toml", "1.1.0", "1.2.0");
    sandbox.edit("plugins/harbor-old/plugin-manifest.yaml", "harbor", "port");
    sandbox.edit("plugins/harbor-old/Cargo.toml", "name = \"harbor\"", "name = \"port\"");
    sandbox
}

#[test]
fn locking_says_what_changed() {
    let outcome = changed().run(&["lock"]);
    insta::with_settings!({filters => [(r"\b[0-9a-f]{12}\b", "SHORT")]}, {
        insta::assert_snapshot!(accepted(&outcome));
    });
}

#[test]
fn outdated_shows_every_plugin() {
    let sandbox = changed();
    insta::with_settings!({filters => [(r"\b[0-9a-f]{12}\b", "SHORT-DIGEST")]}, {
        insta::assert_snapshot!(accepted(&sandbox.run(&["outdated"])), @r"
        PLUGIN  LOCKED              CURRENT             STATE
        one     1.0.0 SHORT-DIGEST  1.0.0 SHORT-DIGEST  content changed
        two     2.1.0 SHORT-DIGEST  2.1.0 SHORT-DIGEST  content changed
        three   0.3.0 SHORT-DIGEST  0.3.0 SHORT-DIGEST  up to date
        one     1.1.0 SHORT-DIGEST  1.2.0 SHORT-DIGEST  version changed
        port    -                   1.0.0 SHORT-DIGEST  not locked
        harbor  1.0.0 SHORT-DIGEST  -                   not declared
        ");
    });
    insta::with_settings!({filters => [(r"\b[0-9a-f]{64}\b", "DIGEST")]}, {
        insta::assert_snapshot!("outdated_for_scripts", accepted(&sandbox.run(&["outdated", "--format", "json"])));
    });
    let unlocked = Sandbox::new().run(&["outdated"]);
    assert_eq!(accepted(&unlocked).matches("not locked").count(), 5);
    assert!(unlocked.stderr.contains("nothing is locked yet"), "{}", unlocked.stderr);
}

#[test]
fn updating_accepts_one_plugin_alone() {
    let sandbox = locked();
    for plugin in ["two", "three"] {
        sandbox.edit(&format!("plugins/{plugin}/src/lib.rs"), "//!", "//! Now");
    }
    let outcome = sandbox.run(&["update", "two"]);
    insta::with_settings!({filters => [(r"\b[0-9a-f]{12}\b", "SHORT")]}, {
        insta::assert_snapshot!(accepted(&outcome), @"~ plugin `two` 2.1.0: digest SHORT -> SHORT");
    });
    let refused = sandbox.run(&["build", "--locked"]).stderr;
    assert!(refused.contains("of plugin `three`") && !refused.contains("of plugin `two`"), "{refused}");
    let _ = accepted(&sandbox.run(&["update", "three"]));
    let piecewise = sandbox.read("racetrack.lock");
    assert!(sandbox.run(&["lock"]).stderr.contains(" Fresh "), "piece by piece gives the whole");
    assert_eq!(sandbox.read("racetrack.lock"), piecewise);
}

#[test]
fn an_added_a_moved_and_a_removed_plugin_can_be_accepted_alone() {
    let sandbox = locked();
    let is_fresh = || sandbox.run(&["lock"]).stderr.contains(" Fresh ");
    sandbox.edit("plugins/two/plugin-manifest.yaml", "priority: 5", "priority: -5");
    let _ = accepted(&sandbox.run(&["update", "two"]));
    assert!(is_fresh());
    let table = "\n[[plugin]]\npath = \"plugins/three\"\n";
    let declaration = sandbox.read("racetrack.toml");
    sandbox.edit("racetrack.toml", table, "");
    let _ = accepted(&sandbox.run(&["update", "three"]));
    assert!(is_fresh());
    sandbox.write("racetrack.toml", declaration);
    let _ = accepted(&sandbox.run(&["update", "three"]));
    assert!(is_fresh());
}

#[test]
fn an_update_that_would_leave_an_inconsistent_lock_is_refused() {
    let sandbox = changed();
    let before = sandbox.read("racetrack.lock");
    let outcome = sandbox.run(&["update", "two"]);
    assert_eq!(outcome.code, 1);
    insta::assert_snapshot!(outcome.stderr);
    assert_eq!(sandbox.read("racetrack.lock"), before);
    assert_eq!(sandbox.run(&["update"]).code, 0, "without a name everything is accepted");
}

#[test]
fn what_cannot_be_updated_is_refused() {
    let sandbox = locked();
    let outcome = sandbox.run(&["update", "tow"]);
    assert_eq!(outcome.code, 2);
    insta::assert_snapshot!(outcome.stderr, @"error: there is no plugin `tow`; did you mean `two`?");
    let outcome = Sandbox::new().run(&["update", "two"]);
    assert_eq!(outcome.code, 1);
    insta::assert_snapshot!(outcome.stderr, @r"
    error[missing-lock]: there is no lock yet to update
    --> racetrack.lock
     = help: run `cargo xtask lock` and commit the file

    error: 1 mistake found
    ");
}
