//! All first-party plugins together, as a platform team would declare them.

use racetrack_tests::{RunningComponent, Sandbox, checkout};
use serde_json::Value;

/// Their declaration, built.
pub(super) fn built() -> Sandbox {
    Sandbox::shared("first-party", |sandbox| {
        let table = |name: &String| format!("[[plugin]]\npath = \"../../../plugins/{name}\"\n\n");
        sandbox.declare(&names().iter().map(table).collect::<String>());
        let _ = sandbox.xtask(&["build", "--profile", "dev"]).succeeded();
    })
}

fn names() -> Vec<String> {
    let folders = fs_err::read_dir(checkout().join("plugins")).expect("a folder");
    let folders = folders.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    let mut names: Vec<_> =
        folders.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
    names.sort();
    names
}

#[test]
fn the_first_party_plugins_fit_together() {
    let (distribution, sandbox) = (built(), Sandbox::new("first-party-lifecycle"));
    let state = sandbox.path("state");
    let config = format!(
        "auth-required: false\nplugins: {{process-infrastructure: {{state-folder: '{}'}}}}\n",
        state.display()
    );
    sandbox.write("lifecycle.yaml", &config);
    let lifecycle =
        RunningComponent::start(&distribution.binary("lifecycle"), &sandbox.path("lifecycle.yaml"));
    let keys = |value: &Value| value.as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
    let (_, targets) = lifecycle.get("/api/v1/plugin/infrastructure_targets");
    assert_eq!(keys(&targets).as_deref(), Some(&["process".to_owned()][..]));
    let (_, job_types) = lifecycle.get("/api/v1/plugin/job_type/versions");
    assert_eq!(job_types, serde_json::json!(["dockerfile:1.0.0", "python3:1.0.0", "rust:1.0.0"]));
    for name in names() {
        let (status, docs) = lifecycle.get(&format!("/api/v1/plugin/{name}/docs"));
        assert_eq!(status, 200, "{name}");
        assert!(docs.as_str().is_some_and(|docs| docs.starts_with(&format!("# {name}"))), "{name}: {docs}");
    }
}
