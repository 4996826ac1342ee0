//! Bundles through the whole command; racetrack-bundle's own tests hold every kind of hostile archive.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::sandbox::Sandbox;

/// A bundle of plugin `one`, and more entries.
pub(crate) fn bundle(sandbox: &Sandbox, more: &[(&str, &str)]) -> Vec<u8> {
    let names = ["Cargo.toml", "plugin-manifest.yaml", "src/lib.rs"];
    let files = names.map(|name| (name, sandbox.read(&format!("plugins/one/{name}"))));
    let files = files.iter().map(|(name, text)| (*name, text.as_str())).chain(more.iter().copied());
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, text) in files {
        writer.start_file(name, options).expect("an archive takes a file");
        writer.write_all(text.as_bytes()).expect("a buffer takes bytes");
    }
    writer.finish().expect("an archive can be finished").into_inner()
}

fn declared(archive: &[u8]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("bundles/one.zip", archive);
    sandbox.write("racetrack.toml", sandbox.components() + "\n[[plugin]]\nzip = \"bundles/one.zip\"\n");
    sandbox
}

#[test]
fn a_bundle_and_its_folder_are_planned_alike() {
    let base = Sandbox::new();
    let zipped = declared(&bundle(&base, &[])).run(&["plan", "--format", "json"]);
    base.write("racetrack.toml", base.components() + "\n[[plugin]]\npath = \"plugins/one\"\n");
    let folder = base.run(&["plan", "--format", "json"]);
    assert_eq!((zipped.code, folder.code), (0, 0), "{}{}", zipped.stderr, folder.stderr);
    assert_eq!(zipped.stdout.replace("bundles/one.zip", "plugins/one"), folder.stdout);
}

#[test]
fn refused_bundles_leave_no_trace() {
    let base = Sandbox::new();
    let mut truncated = bundle(&base, &[]);
    truncated.truncate(truncated.len() / 2);
    let cases: [(&str, Vec<u8>); 6] = [
        ("not-a-zip", b"hello".to_vec()),
        ("truncated", truncated),
        ("traversal", bundle(&base, &[("../evil", "x")])),
        ("absolute", bundle(&base, &[("/evil", "x")])),
        ("case-collision", bundle(&base, &[("src/LIB.rs", "x")])),
        ("build-script", bundle(&base, &[("build.rs", "fn main() {}")])),
    ];
    for (name, archive) in cases {
        let sandbox = declared(&archive);
        let outcome = sandbox.build_without_cargo();
        assert_eq!(outcome.code, 1, "{name}");
        insta::with_settings!({snapshot_path => "snapshots/archives", prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(name, outcome.stderr);
        });
        assert!(!sandbox.path(".racetrack").exists() && !sandbox.path("evil").exists(), "{name}");
    }
}

#[test]
fn mistakes_inside_a_bundle_name_their_entry() {
    let base = Sandbox::new();
    base.write("plugins/one/src/lib.rs", "//! Nothing.\n");
    let outcome = declared(&bundle(&base, &[])).run(&["check"]);
    assert!(outcome.stderr.contains("--> bundles/one.zip!/src/lib.rs"), "{}", outcome.stderr);
}

#[test]
fn a_build_script_needs_permission() {
    let base = Sandbox::new();
    let sandbox = declared(&bundle(&base, &[("build.rs", "fn main() {}")]));
    sandbox.write("racetrack.toml", sandbox.read("racetrack.toml") + "allow-build-script = true\n");
    let outcome = sandbox.run(&["check"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
}

#[test]
fn a_bundle_for_another_core_never_gets_as_far_as_cargo() {
    let base = Sandbox::new();
    let cargo_toml = base.read("plugins/one/Cargo.toml");
    base.write(
        "plugins/one/Cargo.toml",
        cargo_toml.replace("racetrack-core = \"0.1\"", "racetrack-core = \"0.9\""),
    );
    let outcome = declared(&bundle(&base, &[])).build_without_cargo();
    assert_eq!(outcome.code, 1);
    insta::assert_snapshot!(outcome.stderr, @r#"
    error[crate-core-version]: plugin `one` 1.0.0 wants `racetrack-core` 0.9, this checkout has 0.1.0
      --> bundles/one.zip!/Cargo.toml:7:18
       |
     7 | racetrack-core = "0.9"
       |                  ^^^^^
       |
       = help: use a release of the plugin for racetrack-core 0.1; or write `racetrack-core = "0.1"` and port the plugin
    note: the plugin is declared here
      --> racetrack.toml:14:7
       |
    14 | zip = "bundles/one.zip"
       |       ^^^^^^^^^^^^^^^^^

    error: 1 mistake found
    "#);
}
