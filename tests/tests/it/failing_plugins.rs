//! Plugins that fail, seen from outside the component.

use std::path::PathBuf;

use racetrack_tests::{Collector, Finished, RecordingPlugin, RunningComponent, Sandbox};
use serde_json::json;

fn plugin() -> RecordingPlugin {
    let hooks = &["run_action", "markdown_docs"];
    RecordingPlugin { name: "moody", version: "1.0.0", hooks, ..RecordingPlugin::default() }
}

/// Lifecycle with the plugin, which both tests start.
fn built() -> PathBuf {
    let sandbox = Sandbox::shared("failing-plugins", |sandbox| {
        let folder = sandbox.write_plugin(&plugin());
        sandbox.declare(&format!("[[plugin]]\npath = \"{folder}\"\n"));
        let _ = sandbox.xtask(&["build", "--profile", "dev", "--component", "lifecycle"]).succeeded();
    });
    sandbox.binary("lifecycle")
}

#[test]
fn a_failing_plugin_is_named_and_the_component_goes_on() {
    let (binary, sandbox) = (built(), Sandbox::new("failing-plugin"));
    let collector = Collector::start();
    let config = RecordingPlugin::config(&[plugin()], "lifecycle", &collector.address.to_string());
    // Long enough for a panic on a busy machine, which may spend a while on its backtrace.
    sandbox.write("lifecycle.yaml", &format!("hook-time-limit: 2s\n{config}"));
    let lifecycle = RunningComponent::start(&binary, &sandbox.path("lifecycle.yaml"));

    let run = |what: &str| {
        let (status, body) = lifecycle.post("/api/v1/plugin/moody/run", &json!({ "do": what }));
        (status, body["error"].as_str().unwrap_or_default().to_owned())
    };
    let failed = |text: &str| (500, format!("hook `run_action` of plugin `moody` 1.0.0 failed: {text}"));
    assert_eq!(run("panic"), failed("it panicked: asked to panic"));
    assert_eq!(run("fail"), failed("asked to fail"));
    assert_eq!(run("hang"), failed("it did not finish within 2 s"));
    assert_eq!(run("block"), failed("it blocked its thread for more than 2 s, and was given up"));
    // More blocked calls than there are threads for hooks.
    for _ in 0..4 {
        assert_eq!(run("block").0, 500);
    }
    assert_eq!(run("nothing").0, 200);
    assert_eq!(lifecycle.get("/api/v1/plugin/moody/docs"), (200, json!(plugin().marker())));
    assert_eq!(lifecycle.get("/ready").0, 200);
}

#[test]
fn a_component_that_cannot_start_says_why() {
    let (binary, sandbox) = (built(), Sandbox::new("refused-start"));
    let start = |config: &str| {
        sandbox.write("lifecycle.yaml", config);
        let mut command = std::process::Command::new(&binary);
        let config = sandbox.path("lifecycle.yaml");
        command
            .args(["serve", "--http-address", "127.0.0.1:0", "--log-level", "off", "--config"])
            .arg(config);
        Finished::run(&mut command).failed_with(1).stderr
    };
    insta::assert_snapshot!(start("plugins: {moody: {colector: nowhere, component: lifecycle}}"));
    insta::assert_snapshot!(start("plugins: {mody: {}}"));
    let closed = "127.0.0.1:1";
    insta::assert_snapshot!(start(&format!(
        "plugins: {{moody: {{collector: '{closed}', component: lifecycle}}}}"
    )));
}
