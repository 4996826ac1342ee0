//! What no job needs goes by itself, and what jobs need survives it.

use racetrack_tests::StagedPlatform;
use racetrack_tests::staged_platform::{end, wait_until};
use serde_json::{Value, json};

const BUNDLES: &str = ".racetrack-run/image-builder/bundles";
const BUILD_LOGS: &str = ".racetrack-run/image-builder/build-logs";

#[test]
fn bundles_go_with_their_jobs_and_the_others_serve_on() {
    let settings = "retention-deployments: 0\nretention-interval: 200ms\n";
    let mut platform = StagedPlatform::start_with("retention", settings);
    bring_up(&platform, "adder", &json!({}));
    let of_adder = platform.names(BUNDLES);
    bring_up_and_delete(&platform, "gone");
    assert_eq!(platform.names(BUNDLES), of_adder);
    assert_eq!(platform.call("adder").0, 200);

    // While the next instance is not known to answer, the bundles of both are needed, and those of others go.
    platform.close_gate("ready");
    let deployment = platform.deploy("adder", &json!({"runtime_env": {"COLOR": "new"}}), true);
    platform.wait_for_arrival("ready");
    platform.kill_lifecycle();
    platform.start_lifecycle();
    platform.open_gate("ready");
    // A restart in between leaves the former one in service.
    assert_eq!(platform.outcome(&deployment)["status"], "failed");
    wait_for_bundles(&platform, 1);
    assert_eq!(platform.names(BUNDLES), of_adder);
    bring_up(&platform, "adder", &json!({"runtime_env": {"COLOR": "new"}}));
    wait_until("the former bundle is gone", || {
        (!platform.names(BUNDLES).contains(&of_adder[0])).then_some(())
    });
    wait_for_bundles(&platform, 1);

    platform.kill_lifecycle();
    platform.kill_image_builder();
    platform.start_lifecycle();
    platform.start_image_builder();
    bring_up_and_delete(&platform, "again");
    assert_eq!(platform.call("adder").0, 200);
    // Its process and its next deployment are started from the bundle that is left.
    let [pid] = platform.processes()[..] else { panic!("one process") };
    end(pid).expect("it runs");
    wait_until("it was started again", || {
        (platform.processes() != [pid] && platform.call("adder").0 == 200).then_some(())
    });
    let version = platform.job("adder")["version"].as_str().expect("a text").to_owned();
    let path = format!("/api/v1/job/adder/{version}/reprovision");
    assert_eq!(platform.lifecycle().post(&path, &Value::Null), (200, Value::Null));
    assert_eq!(platform.call("adder").0, 200);
    platform.delete("adder");
    wait_for_bundles(&platform, 0);
}

fn bring_up(platform: &StagedPlatform, name: &str, manifest: &Value) {
    let record = platform.outcome(&platform.deploy(name, manifest, true));
    assert_eq!(record["status"], "done", "{record}");
}

/// A job that comes and goes; returns when what was built for it is gone.
fn bring_up_and_delete(platform: &StagedPlatform, name: &str) {
    let before = [BUNDLES, BUILD_LOGS].map(|folder| platform.names(folder).len());
    bring_up(platform, name, &json!({}));
    assert!(platform.names(BUNDLES).len() > before[0], "it is in use");
    platform.delete(name);
    wait_for_bundles(platform, before[0]);
    wait_until("its build log is gone", || (platform.names(BUILD_LOGS).len() == before[1]).then_some(()));
}

fn wait_for_bundles(platform: &StagedPlatform, count: usize) {
    wait_until(&format!("there are {count} bundles"), || {
        (platform.names(BUNDLES).len() == count).then_some(())
    });
}
