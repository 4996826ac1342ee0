//! What a build compiles again: nothing, or what changed.

use racetrack_tests::{RecordingPlugin, Sandbox};

fn plugin(name: &'static str) -> RecordingPlugin {
    RecordingPlugin { name, version: "1.0.0", hooks: &["markdown_docs"], ..RecordingPlugin::default() }
}

#[test]
fn a_build_compiles_only_what_changed() {
    let sandbox = Sandbox::new("incremental");
    let [first, second] = ["first", "second"]
        .map(|name| format!("[[plugin]]\nzip = \"{}\"\n\n", sandbox.bundle(&plugin(name))));
    let build = || sandbox.xtask(&["build", "--profile", "dev"]).succeeded();
    let order = || {
        let plan = sandbox.xtask(&["plan", "--format", "json"]).succeeded().stdout;
        let plan: serde_json::Value = serde_json::from_str(&plan).expect("JSON");
        plan["components"]["left"]["plugins"][0]["name"].as_str().map(str::to_owned)
    };
    let declare = |plugins: &str| sandbox.declare_tiny_as(&["left", "right"], plugins);
    declare(&format!("{first}{second}"));
    // An earlier run of this test may have compiled the plugins already.
    let _ = build();
    let warm = build();
    assert_eq!(warm.compiled_crates(), [""; 0], "a second build compiles nothing");
    assert!(!warm.stderr.contains("Generating"), "and writes nothing: {}", warm.stderr);

    assert_eq!(order().as_deref(), Some("first"));
    declare(&format!("{second}{first}"));
    assert_eq!(order().as_deref(), Some("second"));
    let reordered = build();
    let mains = reordered.compiled_crates();
    assert_eq!(mains.len(), 2, "only the two mains: {mains:?}");
    assert!(mains.iter().all(|name| name.starts_with("racetrack-")), "{mains:?}");

    declare(&first);
    let removed = build().compiled_crates().len();
    assert_eq!(removed, 2, "a removed plugin rebuilds the mains");
    declare(&format!("{first}{second}"));
    let restored = build();
    assert!(!restored.compiled_crates().contains(&"second"), "a plugin that comes back is still there");
}
