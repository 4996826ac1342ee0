//! A plugin that is not meant for a component is not in its binary.

use std::collections::BTreeSet;

use racetrack_tests::{RecordingPlugin, Sandbox};

const DAYLIGHT: RecordingPlugin = RecordingPlugin {
    name: "daylight",
    version: "1.0.0",
    priority: 0,
    components: &["lifecycle"],
    dependency: None,
    uses: None,
    hooks: &["markdown_docs"],
};

/// Brings a crate of its own.
const MIDNIGHT: RecordingPlugin = RecordingPlugin {
    name: "midnight",
    version: "1.0.0",
    priority: 0,
    components: &["image-builder"],
    dependency: Some("bs58 = \"0.5\""),
    uses: Some("bs58::encode(\"midnight\").into_string()"),
    hooks: &["markdown_docs", "run_action"],
};

#[test]
fn a_plugin_is_only_where_it_is_meant_to_be() {
    let sandbox = Sandbox::new("isolation");
    let [daylight, midnight] = [DAYLIGHT, MIDNIGHT].map(|plugin| sandbox.bundle(&plugin));
    let declare = |plugins: &str| sandbox.declare_tiny_as(&["lifecycle", "image-builder"], plugins);
    declare(&format!("[[plugin]]\nzip = \"{daylight}\"\n"));
    let _ = sandbox.xtask(&["build", "--profile", "dev", "--component", "lifecycle"]).succeeded();
    let before = fs_err::read(sandbox.binary("lifecycle")).expect("built");

    declare(&format!("[[plugin]]\nzip = \"{daylight}\"\n\n[[plugin]]\nzip = \"{midnight}\"\n"));
    let _ = sandbox.xtask(&["build", "--profile", "dev"]).succeeded();
    let [lifecycle, image_builder] = ["lifecycle", "image-builder"]
        .map(|component| fs_err::read(sandbox.binary(component)).expect("built"));
    assert!(before == lifecycle, "a plugin for image-builder changed the bytes of lifecycle");

    // The binaries of the dev profile are not stripped, so the symbols of a crate would be found as well.
    for needle in ["midnight", &MIDNIGHT.marker()] {
        assert!(contains(&image_builder, needle), "{needle} should be in image-builder");
        assert!(!contains(&lifecycle, needle), "{needle} should not be in lifecycle");
    }
    for needle in ["daylight", &DAYLIGHT.marker()] {
        assert!(contains(&lifecycle, needle), "{needle} should be in lifecycle");
        assert!(!contains(&image_builder, needle), "{needle} should not be in image-builder");
    }
    let [lifecycle_crates, image_builder_crates] =
        ["lifecycle", "image-builder"].map(|component| crates(&sandbox, component));
    for name in ["midnight", "bs58"] {
        assert!(image_builder_crates.contains(name) && !lifecycle_crates.contains(name), "{name}");
    }
}

/// The crates that are linked into a component, from the graph of its own workspace.
fn crates(sandbox: &Sandbox, component: &str) -> BTreeSet<String> {
    let manifest = sandbox.path(format!(".racetrack/{component}/Cargo.toml"));
    let mut command = cargo_metadata::MetadataCommand::new();
    let options = ["--locked", "--offline"].map(str::to_owned);
    let metadata = command.manifest_path(manifest).other_options(options).exec();
    let metadata = metadata.expect("the generated workspace has a graph");
    let resolve = metadata.resolve.as_ref().expect("with dependencies");
    let mut waiting = vec![resolve.root.clone().expect("a package at its root")];
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if seen.insert(id.clone()) {
            let node = resolve.nodes.iter().find(|node| node.id == id).expect("in the graph");
            let normal = |dependency: &&cargo_metadata::NodeDep| {
                dependency.dep_kinds.iter().any(|kind| kind.kind == cargo_metadata::DependencyKind::Normal)
            };
            waiting.extend(node.deps.iter().filter(normal).map(|dependency| dependency.pkg.clone()));
        }
    }
    metadata
        .packages
        .iter()
        .filter(|package| seen.contains(&package.id))
        .map(|package| package.name.to_string())
        .collect()
}

fn contains(binary: &[u8], needle: &str) -> bool {
    binary.windows(needle.len()).any(|window| window == needle.as_bytes())
}
