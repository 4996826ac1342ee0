//! Vendor folders: what is refused before anything is made or built. That they build is a test of the whole system.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use fs_err as fs;
use sha2::Digest as _;

use crate::archives::bundle;
use crate::sandbox::{Outcome, Sandbox};

/// A vendor folder that fits a sandbox, in memory.
struct Vendored(BTreeMap<String, Vec<u8>>);

impl Vendored {
    fn new(sandbox: &Sandbox) -> Self {
        let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
        let declaration = sha256(sandbox.read("racetrack.toml").as_bytes());
        let record = format!(
            "version = 1\ntoolchain = {:?}\ndeclaration = \"{declaration}\"\nregistry-folder = \"index-0\"\n",
            racetrack_composer::checkout::TOOLCHAIN
        );
        let mut files = BTreeMap::from([
            ("Cargo.lock".to_owned(), fs::read(checkout).expect("the checkout has a lock")),
            ("cargo/config.toml".to_owned(), b"[net]\noffline = true\n".to_vec()),
            ("crates/one-1.0.0/Cargo.toml".to_owned(), b"[package]\n".to_vec()),
            ("crates/one-1.0.0/src/lib.rs".to_owned(), Vec::new()),
            ("crates/two-1.0.0/src/lib.rs".to_owned(), Vec::new()),
            ("vendor.toml".to_owned(), record.into_bytes()),
        ]);
        for lock in ["locks/alpha.lock", "locks/beta.lock"] {
            sandbox.write(lock, "version = 4\n");
            files.insert(lock.to_owned(), b"version = 4\n".to_vec());
        }
        if sandbox.path("racetrack.lock").exists() {
            files.insert("racetrack.lock".to_owned(), sandbox.read("racetrack.lock").into_bytes());
        }
        Self(files)
    }

    fn edit(&mut self, path: &str, edit: impl FnOnce(&str) -> String) {
        let file = self.0.get_mut(path).expect("the file is there");
        *file = edit(std::str::from_utf8(file).expect("the file is text")).into_bytes();
    }

    fn write(&self, sandbox: &Sandbox) {
        let mut checksums = String::new();
        for (path, content) in &self.0 {
            sandbox.write(&format!("vendor/{path}"), content);
            writeln!(checksums, "{}  {path}", sha256(content)).expect("a String takes any text");
        }
        sandbox.write("vendor/checksums", checksums);
    }
}

fn sha256(bytes: &[u8]) -> String {
    let digits: Vec<_> = sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// A frozen build with a cargo that writes down its arguments and fails.
fn build(sandbox: &Sandbox) -> Outcome {
    let script = "echo \"$@\" > \"$(dirname \"$0\")/arguments\"\nexit 1";
    let cargo = sandbox.write_program("cargo.sh", script);
    sandbox.run_with(&["build", "--frozen", "--vendor", "vendor"], &[("CARGO", &cargo)])
}

/// What a build says that is refused before anything is written.
fn refused(sandbox: &Sandbox) -> String {
    let outcome = build(sandbox);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(!sandbox.path("arguments").exists(), "cargo was started: {}", outcome.stderr);
    assert!(!sandbox.path(".racetrack").exists(), "something was written: {}", outcome.stderr);
    outcome.stderr
}

#[cfg(unix)]
#[test]
fn cargo_gets_the_crates_of_the_folder_and_no_network() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["lock"]).code, 0);
    Vendored::new(&sandbox).write(&sandbox);
    let outcome = build(&sandbox);
    assert!(outcome.stderr.contains("component `alpha` was not built"), "{}", outcome.stderr);
    let arguments = sandbox.read("arguments");
    let config = sandbox.path("vendor/cargo/config.toml").canonicalize().expect("it was written");
    let config = format!(" --config {}", config.display());
    for expected in [" --locked ", " --offline ", &config] {
        assert!(arguments.contains(expected), "{expected} is missing: {arguments}");
    }
}

#[cfg(unix)]
#[test]
fn a_bundle_that_the_checkout_does_not_have_is_taken_from_the_folder() {
    let sandbox = Sandbox::new();
    let table = "\n[[plugin]]\nzip = \"bundles/one.zip\"\n";
    sandbox.write("racetrack.toml", sandbox.components() + table);
    let bundle = bundle(&sandbox, &[]);
    sandbox.write("bundles/one.zip", &bundle);
    assert_eq!(sandbox.run(&["lock"]).code, 0);
    fs::remove_file(sandbox.path("bundles/one.zip")).expect("the bundle is there");
    let mut vendored = Vendored::new(&sandbox);
    vendored.0.insert("plugins/one-1.0.0.zip".to_owned(), bundle);
    vendored.edit("vendor.toml", |text| {
        format!("{text}\n[[plugin]]\nsource = \"bundles/one.zip\"\npath = \"plugins/one-1.0.0.zip\"\n")
    });
    vendored.write(&sandbox);
    let outcome = build(&sandbox);
    assert!(outcome.stderr.contains("Compiling component `alpha` with 1 plugin"), "{}", outcome.stderr);

    // One that is there is the checkout's own business.
    sandbox.write("bundles/one.zip", "no bundle");
    let outcome = build(&sandbox);
    assert!(outcome.stderr.contains("--> bundles/one.zip"), "{}", outcome.stderr);
}

#[test]
fn a_folder_with_other_files_is_refused_with_their_names() {
    let sandbox = Sandbox::new();
    Vendored::new(&sandbox).write(&sandbox);
    sandbox.write("vendor/crates/one-1.0.0/src/lib.rs", "fn changed() {}");
    fs::remove_dir_all(sandbox.path("vendor/crates/two-1.0.0")).expect("the crate is there");
    fs::remove_file(sandbox.path("vendor/locks/beta.lock")).expect("the lock is there");
    sandbox.write("vendor/plugins/stray.zip", "");
    insta::assert_snapshot!(refused(&sandbox), @r"
       Verifying vendor
    error: target/xtask-tests/SANDBOX/vendor is not as `cargo xtask vendor` has left it:
      changed: crates/one-1.0.0/src/lib.rs
      missing: crates/two-1.0.0/
      missing: locks/beta.lock
      unexpected: plugins/stray.zip
    ");
}

#[test]
fn a_folder_that_was_not_vendored_is_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("vendor/crates/one-1.0.0/src/lib.rs", "");
    insta::assert_snapshot!(refused(&sandbox), @r"
       Verifying vendor
    error: target/xtask-tests/SANDBOX/vendor is no vendor folder: it has no `checksums`
    ");
}

#[test]
fn checksums_that_cannot_be_read_are_refused() {
    let sandbox = Sandbox::new();
    sandbox.write("vendor/checksums", "these are none\n");
    insta::assert_snapshot!(refused(&sandbox), @r"
       Verifying vendor
    error: cannot read the `checksums` of target/xtask-tests/SANDBOX/vendor
      caused by: `these are none` is no checksum
    ");
}

#[test]
fn a_checkout_that_has_changed_is_refused() {
    let sandbox = Sandbox::new();
    Vendored::new(&sandbox).write(&sandbox);
    sandbox.write("locks/beta.lock", "version = 4\n# changed\n");
    insta::assert_snapshot!(refused(&sandbox), @r"
       Verifying vendor
    error: target/xtask-tests/SANDBOX/vendor was made for another checkout: locks/beta.lock has changed since; make it anew with `cargo xtask vendor`
    ");
    sandbox.write("racetrack.toml", sandbox.read("racetrack.toml") + "# changed\n");
    sandbox.write("racetrack.lock", "added\n");
    insta::assert_snapshot!(refused(&sandbox), @r"
       Verifying vendor
    error: target/xtask-tests/SANDBOX/vendor was made for another checkout: racetrack.toml, locks/beta.lock, racetrack.lock have changed since; make it anew with `cargo xtask vendor`
    ");
}

#[test]
fn the_lock_of_another_declaration_is_compared_as_well() {
    let sandbox = Sandbox::new();
    sandbox.write("edge.toml", sandbox.read("racetrack.toml"));
    let edge = |arguments: &[&str]| {
        let mut command = assert_cmd::Command::cargo_bin("xtask").expect("xtask was built");
        sandbox.finish(command.args(arguments), &sandbox.path("edge.toml"), &[("CARGO", "no-such-cargo")])
    };
    assert_eq!(edge(&["lock"]).code, 0);
    let mut vendored = Vendored::new(&sandbox);
    vendored.0.insert("edge.lock".to_owned(), sandbox.read("edge.lock").into_bytes());
    vendored.write(&sandbox);
    sandbox.write("edge.lock", sandbox.read("edge.lock") + "# changed\n");
    let outcome = edge(&["build", "--frozen", "--vendor", "vendor"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("another checkout: edge.lock has changed since"), "{}", outcome.stderr);
}

#[test]
fn another_toolchain_and_another_format_are_refused() {
    let sandbox = Sandbox::new();
    let mut vendored = Vendored::new(&sandbox);
    vendored.edit("vendor.toml", |text| {
        text.replace(racetrack_composer::checkout::TOOLCHAIN, "rustc 1.0.0 (old)")
    });
    vendored.write(&sandbox);
    let stderr = refused(&sandbox).replace(racetrack_composer::checkout::TOOLCHAIN, "rustc CURRENT");
    insta::assert_snapshot!(stderr, @r"
       Verifying vendor
    error: target/xtask-tests/SANDBOX/vendor was made for `rustc 1.0.0 (old)`, and this is `rustc CURRENT`; build with that toolchain, or make the folder anew with `cargo xtask vendor`
    ");
    vendored.edit("vendor.toml", |text| text.replace("version = 1", "version = 2"));
    vendored.write(&sandbox);
    insta::assert_snapshot!(refused(&sandbox), @r"
       Verifying vendor
    error: cannot build from target/xtask-tests/SANDBOX/vendor
      caused by: vendor.toml has format 2, and this checkout reads format 1
    ");
}

#[test]
fn a_vendor_folder_is_for_frozen_builds() {
    let outcome = Sandbox::new().run(&["build", "--vendor", "vendor"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("--frozen"), "{}", outcome.stderr);
}

#[test]
fn only_vendor_folders_are_replaced() {
    let sandbox = Sandbox::new();
    let refused = |folder: &str| {
        let outcome = sandbox.run(&["vendor", folder]);
        assert_eq!(outcome.code, 2, "{}", outcome.stderr);
        assert!(!sandbox.path(".racetrack").exists());
        outcome.stderr
    };
    sandbox.write("notes/todo.txt", "");
    insta::assert_snapshot!(refused("notes"), @r"error: cannot vendor into `notes`, which is something else than a vendor folder");
    insta::assert_snapshot!(refused("notes/todo.txt"), @r"error: cannot vendor into `notes/todo.txt`, which is something else than a vendor folder");
    insta::assert_snapshot!(refused("."), @r"error: cannot vendor into `.`, which holds `target/xtask-tests/SANDBOX`");
    insta::assert_snapshot!(refused("plugins/one/vendor"), @r"error: cannot vendor into `plugins/one/vendor`, which is in `target/xtask-tests/SANDBOX/plugins/one`");
}

#[test]
fn the_store_is_not_cleaned_up_meanwhile() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run_alone(&["lock"], &[]).code, 0);
    let store = sandbox.path(".racetrack/store");
    fs::create_dir_all(&store).expect("it can be made");
    let lock = fs::File::create(store.join(".lock")).expect("writable").into_file();
    lock.lock().expect("it can be locked");
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("xtask"));
    command.args(["vendor", "out", "--declaration", "racetrack.toml"]).current_dir(&sandbox.folder);
    command.env("CARGO_MANIFEST_DIR", sandbox.path("xtask")).env("CARGO_TERM_COLOR", "never");
    command.stderr(Stdio::piped());
    let mut child = command.spawn().expect("xtask can be started");
    let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let mut lines = lines.map(|line| line.expect("the output is text"));
    let waits = lines.any(|line| line.ends_with("Blocking waiting for `cargo xtask gc`"));
    drop(lock);
    // The sandbox lacks what vendoring needs.
    let rest: Vec<_> = lines.collect();
    assert_eq!(child.wait().expect("it ends").code(), Some(1), "{rest:?}");
    assert!(waits, "{rest:?}");
}

#[test]
fn what_cannot_be_vendored_is_refused_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["lock"]).code, 0);
    let outcome = sandbox.run(&["vendor", "out"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("there is no "), "{}", outcome.stderr);
    let lock = "version = 4\n\n[[package]]\nname = \"theirs\"\nversion = \"1.0.0\"\nsource = \"git+https://host.invalid/x#0\"\n";
    for component in ["alpha", "beta"] {
        sandbox.write(&format!("locks/{component}.lock"), lock);
    }
    let outcome = sandbox.run(&["vendor", "out"]);
    assert_eq!(outcome.code, 1);
    let lines: Vec<_> = outcome.stderr.lines().filter(|line| !line.contains("Generating")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    error: cannot vendor into target/xtask-tests/SANDBOX/out
      caused by: `locks/alpha.lock` has crate `theirs` from git+https://host.invalid/x#0, and only crates of the registry crates.io can be vendored
    ");
    let names = fs::read_dir(&sandbox.folder).expect("the sandbox is there");
    let mut names = names.map(|entry| entry.expect("readable").file_name());
    assert!(names.all(|name| !name.to_string_lossy().contains("out")));
}
