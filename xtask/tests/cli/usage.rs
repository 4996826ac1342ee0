//! Exit codes and streams.

use crate::sandbox::Sandbox;

#[test]
fn arguments_that_do_not_fit_are_usage_errors() {
    let sandbox = Sandbox::new();
    let refused = |arguments: &[&str]| {
        let outcome = sandbox.run(arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{arguments:?}: {}", outcome.stderr);
        outcome.stderr
    };
    insta::assert_snapshot!(refused(&["build", "--component", "bta"]), @"error: there is no component `bta`; did you mean `beta`?");
    insta::assert_snapshot!(refused(&["build", "--profile", "releas"]), @"error: there is no profile `releas`; did you mean `release`?");
    insta::assert_snapshot!(refused(&["build", "--out-dir", "."]), @r"
    error: cannot use `--out-dir .`
      caused by: the binaries cannot go to a folder that holds `target/xtask-tests/SANDBOX`
    ");
    insta::assert_snapshot!(refused(&["sizes", "--component", "alfa"]), @"error: there is no component `alfa`; known components: `alpha`, `beta`");
    assert!(refused(&["biuld"]).contains("unrecognized subcommand"));
    assert!(refused(&["plan", "--format", "yaml"]).contains("possible values: text, json"));
    assert!(!sandbox.path(".racetrack").exists());
}

#[test]
fn sizes_to_compare_with_are_read_before_anything_is_built() {
    let sandbox = Sandbox::new();
    let refused = |path: &str| {
        let outcome = sandbox.run(&["sizes", "--compare", path]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{}", outcome.stderr);
        outcome.stderr
    };
    sandbox.write("other.json", "{}");
    sandbox.write("newer.json", "{\"format\": 2}");
    insta::assert_snapshot!(refused("missing.json"), @r"
    error: cannot compare with missing.json
      caused by: failed to open file `missing.json`: No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(refused("other.json"), @r"
    error: cannot compare with other.json
      caused by: it has no format; `cargo xtask sizes --save` writes such files
    ");
    insta::assert_snapshot!(refused("newer.json"), @r"
    error: cannot compare with newer.json
      caused by: it has format 2, and this checkout reads format 1
    ");
    assert!(!sandbox.path(".racetrack").exists());
}

#[test]
fn an_answer_of_no_use_is_told_from_a_cargo_that_cannot_be_run() {
    let outcome = Sandbox::new().run_with(&["build"], &[("CARGO", "echo")]);
    assert_eq!(outcome.code, 1);
    let expected = "\n  caused by: cannot use what cargo answers\n  caused by: cannot read `tree ";
    assert!(outcome.stderr.contains(expected), "{}", outcome.stderr);
}

#[test]
fn status_lines_are_left_out_on_request() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.run(&["check"]).stderr, @r"
        Checking component `alpha` with 4 plugins
        Checking component `beta` with 4 plugins
    note: there is no racetrack.lock; `cargo xtask lock` writes it
        Finished racetrack.toml is fine
    ");
    assert_eq!(sandbox.run(&["check", "--quiet"]).stderr, "");
}

#[test]
fn colours_are_for_terminals_unless_asked_for() {
    let sandbox = Sandbox::with("bad/unknown-profile");
    let styled =
        |environment: &[(&str, &str)]| sandbox.run_with(&["check"], environment).stderr.contains('\u{1b}');
    assert!(!styled(&[]));
    assert!(styled(&[("CARGO_TERM_COLOR", "always")]));
    assert!(!styled(&[("NO_COLOR", "1")]));
}

#[test]
fn every_shell_gets_its_completions() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let outcome = sandbox.run(&["completions", shell]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{shell}");
        assert!(outcome.stdout.contains("doctor") && outcome.stdout.contains("older-than"), "{shell}");
    }
    assert_eq!(sandbox.run(&["completions", "cmd"]).code, 2);
}

#[test]
fn fuzzing_names_what_has_to_be_installed() {
    let sandbox = Sandbox::new();
    let run = |environment: &[(&str, &str)]| {
        let outcome = sandbox.run_with(&["fuzz", "archive"], environment);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{}", outcome.stderr);
        outcome.stderr
    };
    insta::assert_snapshot!(run(&[("CARGO", "false")]), @"error: cargo-fuzz is missing; `cargo install cargo-fuzz --locked` installs it");
    insta::assert_snapshot!(run(&[("CARGO", "true"), ("CXX", "no-such-compiler")]), @"error: the C++ compiler `no-such-compiler` is missing, which compiles libFuzzer; on Debian and Ubuntu `apt-get install g++` installs it");
    let outcome = sandbox.run_undeclared(&["fuzz", "--help"]);
    insta::assert_snapshot!("help_of_fuzz", outcome.stdout);
    let outcome = sandbox.run_undeclared(&["fuzz", "archives"]);
    assert!(
        outcome.code == 2 && outcome.stderr.contains("a similar value exists: 'archive'"),
        "{}",
        outcome.stderr
    );
}
