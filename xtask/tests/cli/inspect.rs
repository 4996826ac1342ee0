//! `inspect`: what a binary says about itself, whatever machine it is for.

use std::io::Write as _;

use fs_err as fs;
use object::write::Object;
use object::{Architecture, BinaryFormat, Endianness, SectionKind};
use serde_json::{Value, json};

use crate::sandbox::{Outcome, Sandbox};

const CRATES: &str = r#"{
    "packages": [
        {"name": "macros", "version": "0.1.0", "source": "local", "kind": "build"},
        {"name": "racetrack-a-binary", "version": "0.0.0", "source": "local", "dependencies": [0, 2], "root": true},
        {"name": "serde", "version": "1.0.2", "source": "crates.io"}
    ],
    "format": 1
}"#;

fn list() -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(CRATES.as_bytes()).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

fn description() -> Value {
    json!({
        "format": 1,
        "component": "a",
        "plan": {
            "package": "package-a",
            "plugins": [
                {
                    "name": "one", "version": "1.0.0", "priority": -1, "position": 1, "category": "job-type",
                    "source": "bundles/one.zip", "digest": "ab".repeat(32), "hooks": ["job_types", "run_action"],
                },
                {
                    "name": "second", "version": "2.10.0", "priority": 0, "position": 0, "category": null,
                    "source": "plugins/second", "digest": "cd".repeat(32), "hooks": ["run_action"],
                },
            ],
            "hooks": {
                "job_types": [{ "name": "one", "version": "1.0.0" }],
                "run_action": [{ "name": "one", "version": "1.0.0" }, { "name": "second", "version": "2.10.0" }],
            },
        },
        "profile": { "name": "release", "settings": { "lto": "fat", "opt-level": 3 } },
        "target": "aarch64-unknown-linux-gnu",
        "toolchain": "rustc 1.95.0 (59807616e 2026-04-14)",
        "locked": true,
        "crates": { "linked": 2, "build_time": 1, "digest": blake3::hash(&list()).to_hex().as_str() },
        "of a later build": "is shown and otherwise ignored",
    })
}

/// An object file with the two sections; those that are empty are left out.
fn object(format: BinaryFormat, description: &[u8], crates: &[u8]) -> Vec<u8> {
    let (architecture, segment, name) = match format {
        BinaryFormat::MachO => (Architecture::X86_64, "__DATA", "__racetrack"),
        BinaryFormat::Coff => (Architecture::X86_64, "", ".rtrack"),
        _ => (Architecture::Aarch64, "", ".racetrack"),
    };
    let mut object = Object::new(format, architecture, Endianness::Little);
    for (name, content) in [(name, description), (".dep-v0", crates)] {
        if !content.is_empty() {
            let id = object.add_section(segment.into(), name.into(), SectionKind::ReadOnlyData);
            object.append_section_data(id, content, 1);
        }
    }
    object.write().expect("the object file can be written")
}

fn inspect(file: &[u8], arguments: &[&str]) -> Outcome {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("a"), file).expect("the file is writable");
    sandbox.run(&[&["inspect", "a"], arguments].concat())
}

fn elf(description: &str) -> Vec<u8> {
    object(BinaryFormat::Elf, description.as_bytes(), &list())
}

#[test]
fn people_read_what_a_binary_is() {
    let outcome = inspect(&elf(&description().to_string()), &["--crates"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(outcome.stdout);
}

#[test]
fn scripts_read_the_section_whatever_the_machine() {
    for format in [BinaryFormat::Elf, BinaryFormat::MachO, BinaryFormat::Coff] {
        let file = object(format, description().to_string().as_bytes(), &list());
        let outcome = inspect(&file, &["--format", "json"]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{format:?}");
        assert_eq!(
            serde_json::from_str::<Value>(&outcome.stdout).expect("JSON"),
            description(),
            "{format:?}"
        );
    }
    let outcome = inspect(&elf(&description().to_string()), &["--format", "json", "--crates"]);
    let shown: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let list: Value = serde_json::from_str(CRATES).expect("JSON");
    assert_eq!(shown["packages"], list["packages"]);
}

#[test]
fn what_does_not_describe_itself_is_refused() {
    let refused = |file: &[u8]| {
        let outcome = inspect(file, &[]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{}", outcome.stderr);
        outcome.stderr
    };
    let mut later = description();
    later["format"] = json!(2);
    let mut other = description();
    other["crates"]["digest"] = json!("00");
    let mut incomplete = description();
    incomplete["plan"]["plugins"][1]["version"] = Value::Null;
    let mut formless = description();
    formless["format"] = json!("1");
    let text = description().to_string();
    let cases = [
        ("a script", refused(b"#!/bin/sh\n")),
        ("another program", refused(&object(BinaryFormat::Elf, b"", b""))),
        ("half a description", refused(&elf(&text[..text.len() / 2]))),
        ("a later format", refused(&elf(&later.to_string()))),
        ("no format", refused(&elf(&formless.to_string()))),
        ("an incomplete description", refused(&elf(&incomplete.to_string()))),
        ("no crates", refused(&object(BinaryFormat::Elf, text.as_bytes(), b""))),
        ("the crates of another binary", refused(&elf(&other.to_string()))),
        ("half a file", refused(&elf(&text)[..200])),
    ];
    let cases: Vec<_> = cases.iter().map(|(case, message)| format!("# {case}\n{message}")).collect();
    insta::assert_snapshot!(cases.join("\n"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let outcome = Sandbox::new().run(&["inspect", "nowhere"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
    insta::assert_snapshot!(outcome.stderr);
}
