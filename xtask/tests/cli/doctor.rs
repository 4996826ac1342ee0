//! `doctor`: what it finds in fixtures with something wrong in them.

use serde_json::Value;

use crate::sandbox::{Outcome, Sandbox};

/// The findings of one check, as `verdict: what`, with what follows from them.
fn findings(outcome: &Outcome, check: &str) -> String {
    let found: Value = serde_json::from_str(&outcome.stdout).expect("the findings are JSON");
    let found = found["findings"].as_array().expect("a list").iter();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let shown = found.filter(|finding| finding["check"] == check).map(|finding| {
        let [verdict, what, why, help] = ["verdict", "what", "why", "help"].map(|key| text(&finding[key]));
        format!("{verdict}: {what}\n  {why}\n  {help}\n")
    });
    shown.collect()
}

fn doctor(sandbox: &Sandbox) -> Outcome {
    sandbox.run(&["doctor", "--format", "json"])
}

/// How many things are told that no build needs; the store is shared by all tests and may have some already.
fn stale_things(outcome: &Outcome) -> u32 {
    let stored = findings(outcome, "store");
    let Some((before, _)) = stored.split_once(" stale thing") else { return 0 };
    before.rsplit(' ').next().and_then(|count| count.parse().ok()).expect("a number")
}

#[test]
fn plugins_of_no_use_are_found() {
    let sandbox = Sandbox::new();
    let declared = |component: &str| {
        format!("[components.{component}]\npackage = \"fixture-alpha\"\npath = \"alpha\"\n\n")
            + "[[plugin]]\npath = \"plugins/one\"\n\n[[plugin]]\npath = \"plugins/three\"\n"
    };
    let library = |hook: &str| format!("#[racetrack_core::plugin]\nimpl Plugin for Fixture {{\n{hook}}}\n");
    sandbox.write("plugins/one/src/lib.rs", library(""));
    sandbox.write("plugins/three/src/lib.rs", library("    async fn post_job_deploy(&self) {}\n"));
    sandbox.write("racetrack.toml", declared("image-builder"));
    let outcome = doctor(&sandbox);
    assert_eq!(outcome.code, 1);
    insta::assert_snapshot!(findings(&outcome, "plugins"), @r"
    wrong: plugin `three` 0.3.0 (racetrack.toml:9) implements `post_job_deploy`, which no component that holds it calls
      it is compiled into the binaries and never called
      widen its `components`, or remove its table from the declaration
    wrong: plugin `one` 1.0.0 (racetrack.toml:6) implements no hook
      it is compiled into the binaries and never called
      remove its table from the declaration, or implement a hook
    ");
    // Nobody knows which hooks another component calls.
    sandbox.write("racetrack.toml", declared("other"));
    let found = findings(&doctor(&sandbox), "plugins");
    assert!(found.contains("`one`") && !found.contains("`three`"), "{found}");
    sandbox.write("racetrack.toml", declared("lifecycle"));
    sandbox.write("plugins/one/src/lib.rs", library("    async fn job_types(&self) {}\n"));
    insta::assert_snapshot!(findings(&doctor(&sandbox), "plugins"), @r"
    fine: 2 plugins, each with a hook that is called
      -
      -
    ");
}

#[test]
fn missing_programs_are_found() {
    let sandbox = Sandbox::new();
    sandbox.write("empty/x", "");
    let path = sandbox.path("empty").display().to_string();
    let outcome = sandbox.run_with(&["doctor", "--format", "json"], &[("PATH", &path)]);
    assert_eq!(outcome.code, 1);
    let checks = ["toolchain", "c-compiler", "git", "curl"];
    insta::assert_snapshot!(checks.map(|check| findings(&outcome, check)).concat(), @r"
    wrong: there is no `rustc`
      components cannot be compiled
      install it: `rustup toolchain install 1.95.0`
    wrong: there is no `cc`
      it links every binary, and compiles the C code of some crates
      install a C compiler, such as the package `gcc` or `clang` of your distribution
    wrong: there is no `git`
      plugin sources and crates in git repositories cannot be fetched
      install the package `git` of your distribution
    note: there is no `curl`
      plugin bundles that are elsewhere cannot be fetched; nothing else needs it
      run `script/setup --yes up`, or install the package `curl` of your distribution
    ");
}

#[test]
fn another_compiler_is_found() {
    let sandbox = Sandbox::new();
    let _ = sandbox.write_program("bin/rustc", "echo 'rustc 1.2.3 (0123456789 2020-01-02)'");
    let path = sandbox.path("bin").display().to_string();
    let outcome = sandbox.run_with(&["doctor", "--format", "json"], &[("PATH", &path)]);
    assert_eq!(outcome.code, 1);
    insta::assert_snapshot!(findings(&outcome, "toolchain"), @r"
    wrong: rustc 1.2.3 (0123456789 2020-01-02) is in use, rust-toolchain.toml says 1.95.0
      the bytes of the component binaries depend on the compiler
      install it: `rustup toolchain install 1.95.0`
    ");
}

#[test]
fn a_plugin_for_no_component_is_found() {
    let sandbox = Sandbox::with("bad/unused-plugin");
    let outcome = doctor(&sandbox);
    assert_eq!(outcome.code, 1);
    insta::assert_snapshot!(findings(&outcome, "plugins"), @r"
    wrong: no declared component would hold plugin `elsewhere` (racetrack.toml:10:8)
      it would be in no binary
      it is meant for `lifecycle`; declare that component or remove the plugin
    ");
}

#[test]
fn settings_of_cargo_are_found() {
    let sandbox = Sandbox::new();
    sandbox.write(".cargo/config.toml", "[build]\ntarget = \"x\"\n\n[target.x]\nlinker = \"y\"\n");
    let outcome =
        sandbox.run_with(&["doctor", "--format", "json"], &[("RUSTC_WRAPPER", "sccache"), ("RUSTFLAGS", "")]);
    assert_eq!(outcome.code, 1);
    insta::assert_snapshot!(findings(&outcome, "cargo-configuration"), @r"
    wrong: target/xtask-tests/SANDBOX/.cargo/config.toml sets `build.target`
      a build for a named target has other bytes
      remove it
    note: target/xtask-tests/SANDBOX/.cargo/config.toml sets `target`
      linkers and flags of it do not count in component builds; runners do
      remove it if that is not wanted
    note: the variable RUSTC_WRAPPER is set
      a wrapper around the compiler decides about the bytes, too
      unset it if that is not wanted
    ");
}

#[test]
fn flags_for_c_compilers_are_found() {
    let sandbox = Sandbox::new();
    let flags = [("HOST_CFLAGS", "-g"), ("TARGET_CXXFLAGS", "-g")];
    let outcome = sandbox.run_with(&["doctor", "--format", "json"], &flags);
    let found = findings(&outcome, "cargo-configuration");
    for (name, _) in flags {
        let finding = format!(
            "note: the variable {name} is set\n  it counts for xtask itself, but not in component builds\n"
        );
        assert!(found.contains(&finding), "{found}");
    }
}

#[test]
fn what_is_out_of_date_or_missing_is_found() {
    let sandbox = Sandbox::new();
    let outcome = doctor(&sandbox);
    insta::assert_snapshot!(findings(&outcome, "locks"), @r"
    note: there is no target/xtask-tests/SANDBOX/locks/alpha.lock
      another machine, or the next build, may build something else; `build --locked` refuses to
      run `cargo xtask build` and commit it
    note: there is no target/xtask-tests/SANDBOX/locks/beta.lock
      another machine, or the next build, may build something else; `build --locked` refuses to
      run `cargo xtask build` and commit it
    note: there is no target/xtask-tests/SANDBOX/racetrack.lock
      another machine, or the next build, may build something else; `build --locked` refuses to
      run `cargo xtask lock` and commit it
    ");
    let _ = sandbox.build_without_cargo();
    let outcome = doctor(&sandbox);
    assert!(findings(&outcome, "workspaces").starts_with("fine"));
    assert!(!findings(&outcome, "locks").contains("racetrack.lock"), "a build writes it");
    let main_rs = sandbox.read(".racetrack/alpha/src/main.rs");
    sandbox.write(".racetrack/alpha/src/main.rs", main_rs + "// edited\n");
    let before = stale_things(&doctor(&sandbox));
    sandbox.write(".racetrack/target/gone/file", "123");
    let outcome = doctor(&sandbox);
    assert!(stale_things(&outcome) > before, "{}", outcome.stdout);
    assert!(findings(&outcome, "store").contains("run `cargo xtask gc`"), "{}", outcome.stdout);
    insta::assert_snapshot!(findings(&doctor(&sandbox), "workspaces"), @r"
    note: the generated workspace of `alpha` is not what the declaration gives
      an editor that looks into it sees something old; builds bring it up to date first
      run `cargo xtask build`
    ");
}

#[test]
fn a_bad_declaration_is_a_finding() {
    let outcome = doctor(&Sandbox::with("bad/many-mistakes"));
    assert_eq!(outcome.code, 1);
    insta::assert_snapshot!(findings(&outcome, "declaration"), @r"
    wrong: 6 mistakes in it or its plugins
      it cannot be built
      run `cargo xtask check`, which shows them
    ");
    // The machine may have problems of its own.
    assert!(outcome.stderr.starts_with("error: ") && outcome.stderr.contains(" found"), "{}", outcome.stderr);
}

#[test]
fn findings_for_people_say_why_and_what_to_do() {
    let sandbox = Sandbox::with("bad/unknown-profile");
    let outcome = sandbox.run(&["doctor"]);
    let lines: Vec<_> = outcome.stdout.lines().skip_while(|line| !line.contains("declaration:")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    wrong  declaration: 2 mistakes in it or its plugins
           why: it cannot be built
           help: run `cargo xtask check`, which shows them
    ");
}
