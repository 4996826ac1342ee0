//! `racetrack.lock`: what `lock` writes, and what `build --locked` and `check` make of a declaration that has moved away
//! from it.

use fs_err as fs;

use crate::archives::bundle;
use crate::sandbox::{Outcome, Sandbox};

/// A program that cannot be started: whoever gets as far as cargo fails naming it.
const NO_CARGO: &str = "no-such-cargo";

/// The base fixture, with plugin `harbor` from a bundle of plugin `one`'s next version, locked.
fn locked() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("bundles/one.zip", bundle(&sandbox, &[]));
    sandbox.edit("racetrack.toml", "path = \"plugins/one\"", "zip = \"bundles/one.zip\"");
    assert_eq!(sandbox.run(&["lock"]).code, 0);
    sandbox
}

fn build(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.run_with(&[&["build"], arguments].concat(), &[("CARGO", NO_CARGO)])
}

/// What the two commands say, for a snapshot.
fn answers(sandbox: &Sandbox) -> String {
    let build = build(sandbox, &["--locked"]);
    assert_eq!((build.code, build.stdout.as_str()), (1, ""), "{}", build.stderr);
    assert!(!sandbox.path(".racetrack").exists(), "nothing was unpacked or generated");
    assert!(!build.stderr.contains(NO_CARGO), "cargo was not started: {}", build.stderr);
    for line in build.stderr.lines() {
        if let Some((expected, actual)) =
            line.split_once(": expected ").and_then(|(_, rest)| rest.split_once(", actual "))
        {
            assert_ne!(expected, actual, "the snapshot hides digests: {line}");
        }
    }
    let check = sandbox.run(&["check"]);
    format!(
        "$ cargo xtask build --locked\n{}\n$ cargo xtask check\n{}{}exit code {}",
        build.stderr, check.stderr, check.stdout, check.code
    )
}

fn review(name: &str, answers: &str) {
    let filters = [
        (r"rustc \S+ \([0-9a-f]{9} [0-9-]+\)", "RUSTC"),
        (r"xtask-tests/\d+-\d+/", "xtask-tests/SANDBOX/"),
        (r"\b[0-9a-f]{64}\b", "DIGEST"),
        (r"\b[0-9a-f]{12}\b", "SHORT"),
    ];
    insta::with_settings!({filters => filters, snapshot_path => "snapshots/locked", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, answers);
    });
}

#[test]
fn the_lock_is_reviewed() {
    let sandbox = locked();
    review("racetrack.lock", &sandbox.read("racetrack.lock"));
}

#[test]
fn locking_twice_writes_the_same_bytes() {
    let sandbox = locked();
    let first = fs::read(sandbox.path("racetrack.lock")).expect("there is a lock");
    let again = sandbox.run(&["lock"]);
    assert_eq!((again.code, again.stdout.as_str()), (0, ""));
    assert!(again.stderr.contains("   Fresh "), "{}", again.stderr);
    fs::remove_file(sandbox.path("racetrack.lock")).expect("there is a lock");
    assert!(sandbox.run(&["lock"]).stderr.contains(" Locking "));
    assert_eq!(fs::read(sandbox.path("racetrack.lock")).expect("there is a lock"), first);
}

#[test]
fn the_lock_has_the_name_of_the_declaration() {
    let sandbox = Sandbox::new();
    let declaration = sandbox.path("edge.toml");
    fs::rename(sandbox.path("racetrack.toml"), &declaration).expect("it can be renamed");
    let mut command = assert_cmd::Command::cargo_bin("xtask").expect("xtask was built");
    assert_eq!(sandbox.finish(command.arg("lock"), &declaration, &[]).code, 0);
    assert!(sandbox.path("edge.lock").exists() && !sandbox.path("racetrack.lock").exists());
}

#[test]
fn what_is_as_locked_is_built() {
    let sandbox = locked();
    let outcome = build(&sandbox, &["--locked"]);
    assert!(outcome.stderr.contains("there is no") && outcome.stderr.contains("locks/alpha.lock"));
    sandbox.write("locks/alpha.lock", "");
    sandbox.write("locks/beta.lock", "");
    let outcome = build(&sandbox, &["--locked"]);
    assert!(outcome.stderr.contains(NO_CARGO), "it got as far as cargo: {}", outcome.stderr);
    let check = sandbox.run(&["check"]);
    assert_eq!((check.code, check.stdout.as_str()), (0, ""));
    assert!(!check.stderr.contains("note"), "{}", check.stderr);
}

#[test]
fn a_component_lock_that_lags_behind_is_named() {
    let sandbox = locked();
    sandbox.write("locks/alpha.lock", "");
    sandbox.write("locks/beta.lock", "");
    let said = "error: cannot update the lock file Cargo.lock because --locked was passed to prevent this";
    let cargo = sandbox.write_program("cargo.sh", &format!("echo '{said}' >&2\nexit 101"));
    let outcome = sandbox.run_with(&["build", "--locked"], &[("CARGO", &cargo)]);
    assert_eq!(outcome.code, 1);
    let (_, error) = outcome.stderr.split_once(said).expect("cargo is heard");
    insta::assert_snapshot!(error.trim_start(), @r"
    error: component `alpha` was not built
      caused by: locks/alpha.lock does not hold what the Cargo.toml of a crate asks for now; build once without `--locked`, read what changed in that file, and commit it
    ");
}

#[test]
fn every_difference_is_refused_by_name() {
    type Edit = fn(&Sandbox);
    let cases: [(&str, Edit); 13] = [
        ("flipped-byte-of-a-bundle", |sandbox| {
            let mut archive = fs::read(sandbox.path("bundles/one.zip")).expect("there is a bundle");
            // A byte of the first file's time: the bundle stays sound, and its content the same.
            archive[10] ^= 1;
            sandbox.write("bundles/one.zip", archive);
        }),
        ("content-of-a-bundle", |sandbox| {
            sandbox.edit("plugins/one/src/lib.rs", "//!", "//! Now");
            sandbox.write("bundles/one.zip", bundle(sandbox, &[]));
        }),
        ("edited-folder", |sandbox| sandbox.edit("plugins/two/src/lib.rs", "//!", "//! Now")),
        ("edited-hooks", |sandbox| {
            sandbox.edit("plugins/three/src/lib.rs", "async fn markdown_docs", "async fn plugin_info");
            sandbox.edit("plugins/three/src/lib.rs", "plugin_info", "run_action");
        }),
        ("changed-order", |sandbox| {
            sandbox.edit("racetrack.toml", "plugins/harbor-old", "plugins/X");
            sandbox.edit("racetrack.toml", "zip = \"bundles/one.zip\"", "path = \"plugins/harbor-old\"");
            sandbox.edit("racetrack.toml", "path = \"plugins/X\"", "zip = \"bundles/one.zip\"");
        }),
        ("changed-order-of-tables", |sandbox| {
            sandbox.edit("racetrack.toml", "plugins/two", "plugins/X");
            sandbox.edit("racetrack.toml", "plugins/three", "plugins/two");
            sandbox.edit("racetrack.toml", "plugins/X", "plugins/three");
        }),
        ("changed-priority", |sandbox| {
            sandbox.edit("plugins/two/plugin-manifest.yaml", "priority: 5", "priority: -5");
        }),
        ("changed-version", |sandbox| {
            sandbox.edit("plugins/two/plugin-manifest.yaml", "2.1.0", "2.2.0");
            sandbox.edit("plugins/two/Cargo.toml", "2.1.0", "2.2.0");
        }),
        ("removed-plugin", |sandbox| {
            sandbox.edit("racetrack.toml", "\n[[plugin]]\npath = \"plugins/three\"\n", "");
        }),
        ("added-plugin", |sandbox| {
            sandbox.edit("plugins/harbor-new/plugin-manifest.yaml", "harbor", "port");
            sandbox.edit("plugins/harbor-new/Cargo.toml", "name = \"harbor\"", "name = \"port\"");
            let declared = "\n[[plugin]]\npath = \"plugins/harbor-new\"\n";
            sandbox.write("racetrack.toml", sandbox.read("racetrack.toml") + declared);
        }),
        ("narrowed-components", |sandbox| {
            sandbox.edit("racetrack.toml", "plugins/three\"", "plugins/three\"\ncomponents = [\"beta\"]");
        }),
        ("removed-component", |sandbox| {
            sandbox.edit(
                "racetrack.toml",
                "[components.beta]\npackage = \"fixture-beta\"\npath = \"beta\"\n",
                "",
            );
            sandbox.edit(
                "racetrack.toml",
                "\n[[plugin]]\npath = \"plugins/one-next\"\ncomponents = [\"beta\"]\n",
                "",
            );
        }),
        ("changed-toolchain", |sandbox| {
            let lock = sandbox.read("racetrack.lock");
            let line = lock.lines().find(|line| line.starts_with("rustc = ")).expect("it names the compiler");
            sandbox.edit("racetrack.lock", line, "rustc = \"rustc 1.2.3 (0123456 2015-01-01)\"");
        }),
    ];
    for (name, edit) in cases {
        let sandbox = locked();
        edit(&sandbox);
        review(name, &answers(&sandbox));
        // The way out leads out.
        assert_eq!(sandbox.run(&["lock"]).code, 0, "{name}");
        assert_eq!(sandbox.run(&["check"]).code, 0, "{name}");
        assert!(!build(&sandbox, &["--locked"]).stderr.contains("lock-mismatch"), "{name}");
    }
}

#[test]
fn a_flipped_byte_in_the_content_of_a_bundle_is_refused_before_the_lock_is_asked() {
    let sandbox = locked();
    let mut archive = fs::read(sandbox.path("bundles/one.zip")).expect("there is a bundle");
    let place = archive.windows(9).position(|bytes| bytes == b"[package]").expect("it holds a crate");
    archive[place + 1] ^= 1;
    sandbox.write("bundles/one.zip", archive);
    let outcome = build(&sandbox, &["--locked"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.starts_with("error["), "{}", outcome.stderr);
    assert!(!sandbox.path(".racetrack").exists());
}

#[test]
fn the_first_build_writes_the_lock_and_later_ones_leave_it() {
    let sandbox = Sandbox::new();
    let first = build(&sandbox, &[]);
    assert!(
        first.stderr.contains(" Locking target/xtask-tests/SANDBOX/racetrack.lock\n"),
        "{}",
        first.stderr
    );
    assert!(first.stderr.contains("component `alpha` with 4 plugins\n"), "{}", first.stderr);
    let lock = sandbox.read("racetrack.lock");
    sandbox.edit("plugins/two/src/lib.rs", "//!", "//! Now");
    let second = build(&sandbox, &[]);
    review("unlocked-build", &second.stderr);
    assert_eq!(sandbox.read("racetrack.lock"), lock, "nobody has accepted the change");
}

#[test]
fn only_components_that_changed_are_unlocked() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["lock"]).code, 0);
    // Plugin `two` is meant for alpha alone.
    sandbox.edit("plugins/two/src/lib.rs", "//!", "//! Now");
    let unlocked = |component: &str| {
        let stderr = build(&sandbox, &["--component", component]).stderr;
        assert!(stderr.contains(&format!(" Compiling component `{component}` with 4 plugins")), "{stderr}");
        stderr.contains("plugins, unlocked\n")
    };
    assert!(unlocked("alpha") && !unlocked("beta"));
    let toolchain = "rustc = \"another\"";
    let lock = sandbox.read("racetrack.lock");
    let (before, rest) = lock.split_once("rustc = ").expect("it names the compiler");
    let (_, after) = rest.split_once("\n\n").expect("more follows");
    sandbox.write("racetrack.lock", format!("{before}{toolchain}\n\n{after}"));
    assert!(unlocked("beta"), "another toolchain gives other bytes");
}

#[test]
fn where_the_plugins_of_a_component_come_from_is_locked_too() {
    type Edit = fn(&Sandbox);
    let edits: [Edit; 2] = [
        |sandbox| {
            fs::rename(sandbox.path("plugins/two"), sandbox.path("plugins/moved")).expect("it can be moved");
            sandbox.edit("racetrack.toml", "plugins/two", "plugins/moved");
        },
        |sandbox| {
            sandbox.edit("racetrack.toml", "plugins/two\"", "plugins/two\"\nallow-build-script = true");
        },
    ];
    for edit in edits {
        let sandbox = Sandbox::new();
        assert_eq!(sandbox.run(&["lock"]).code, 0);
        edit(&sandbox);
        // Plugin `two` is meant for alpha alone, and its content is the same.
        let stderr = build(&sandbox, &[]).stderr;
        assert!(stderr.contains("component `alpha` with 4 plugins, unlocked\n"), "{stderr}");
        assert!(stderr.contains("until then the components concerned are unlocked"), "{stderr}");
        let stderr = build(&sandbox, &["--component", "beta"]).stderr;
        assert!(stderr.contains("component `beta` with 4 plugins\n"), "{stderr}");
    }
}

#[test]
fn differences_that_concern_no_component_leave_all_locked() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["lock"]).code, 0);
    let beta = "\n[components.beta]\npackage = \"fixture-beta\"\npath = \"beta\"\n";
    sandbox.edit("racetrack.toml", beta, "");
    sandbox.edit(
        "racetrack.toml",
        "\n[[plugin]]\npath = \"plugins/one-next\"\ncomponents = [\"beta\"]\n",
        "",
    );
    let stderr = build(&sandbox, &[]).stderr;
    assert!(stderr.contains("not as locked: component `beta` is not declared"), "{stderr}");
    assert!(stderr.contains("component `alpha` with 4 plugins\n"), "{stderr}");
    assert!(!stderr.contains("unlocked"), "{stderr}");
}

#[test]
fn plugins_for_another_component_do_not_change_a_plan_digest() {
    let sandbox = Sandbox::new();
    let plans = || {
        assert_eq!(sandbox.run(&["lock"]).code, 0);
        let lock = sandbox.read("racetrack.lock");
        let plans: Vec<_> =
            lock.lines().filter(|line| line.starts_with("plan = ")).map(str::to_owned).collect();
        <[String; 2]>::try_from(plans).expect("there are two components")
    };
    let [alpha, beta] = plans();
    let first = "[[plugin]]\npath = \"plugins/harbor-new\"\ncomponents = [\"beta\"]\n\n[[plugin]]\n";
    sandbox.edit(
        "racetrack.toml",
        "path = \"plugins/harbor-old\"\n",
        "path = \"plugins/harbor-old\"\ncomponents = [\"alpha\"]\n",
    );
    sandbox.edit("plugins/harbor-new/plugin-manifest.yaml", "harbor", "port");
    sandbox.edit("plugins/harbor-new/Cargo.toml", "name = \"harbor\"", "name = \"port\"");
    let [narrowed, _] = plans();
    assert_ne!(alpha, narrowed, "the components a plugin is meant for are in the binary");
    sandbox.write("racetrack.toml", sandbox.read("racetrack.toml").replacen("[[plugin]]\n", first, 1));
    let [alpha, changed] = plans();
    assert_eq!(alpha, narrowed, "a plugin of beta stands before all others");
    assert_ne!(beta, changed);
}

#[test]
fn a_lock_with_merge_conflicts_is_written_anew() {
    let sandbox = locked();
    let lock = sandbox.read("racetrack.lock");
    sandbox.write("racetrack.lock", format!("<<<<<<< ours\n{lock}"));
    assert_eq!(build(&sandbox, &[]).code, 1, "what the lock says is not known");
    let outcome = sandbox.run(&["lock"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("racetrack.lock could not be read and is written anew"));
    assert_eq!(sandbox.read("racetrack.lock"), lock);
}
