//! What plugins do when jobs are deployed and deleted.

use serde_json::json;

use super::distribution::{LISTENERS, administrator, platform_with_failing_plugins};
use super::jobs;

#[test]
fn plugins_that_fail_after_a_deployment_are_its_warnings() {
    let platform = platform_with_failing_plugins("hooks");
    let client = administrator(&platform);
    let folder = jobs::write_witness(&platform);
    let _ = client.run(&["deploy", &folder, "--build-context", "local"]).succeeded();

    let (_, deployments) = platform.get("/deploy");
    let id = deployments[0]["id"].as_str().expect("an id").to_owned();
    let (_, deployment) = platform.get(&format!("/deploy/{id}"));
    assert_eq!((&deployment["status"], &deployment["error"]), (&json!("done"), &json!(null)));
    assert_eq!(deployment["job"]["status"], "running");
    let failed =
        |plugin: &str, how: &str| format!("hook `post_job_deploy` of plugin `{plugin}` 1.0.0 failed: {how}");
    let warnings = [
        failed("failing", "asked to fail"),
        failed("panicking", "it panicked: asked to panic"),
        failed("hanging", "it did not finish within 5 s"),
    ];
    assert_eq!(deployment["warnings"], warnings.join("\n"));
    let (_, job) = platform.get("/job/witness/latest");
    assert_eq!(job["status"], "running");
    let expected = LISTENERS.map(|name| format!("{name} 1.0.0"));
    assert_eq!(platform.collector.plugins("lifecycle", "post_job_deploy"), expected);

    let environment = |name: &str| {
        let path = "witness/0.0.1/api/v1/environment";
        platform.call(path, Some(platform.token()), &json!({"name": name}))
    };
    assert_eq!(environment("SKYNET_TARGET"), (200, json!("MrPresident")));
    assert_eq!(environment("JOB_NAME"), (200, json!("witness")));
    assert_eq!(environment("COMPONENT_AUTH_TOKEN"), (200, json!("")));

    assert!(platform.collector.plugins("lifecycle", "post_job_delete").is_empty());
    let _ = client.run(&["delete", "witness", "--version", "0.0.1"]).succeeded();
    assert_eq!(platform.collector.plugins("lifecycle", "post_job_delete"), expected);
    platform.end();
}
