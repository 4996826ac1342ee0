//! What ends without a word, at every stage of a deployment, and what is found when it is started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use racetrack_tests::StagedPlatform;
use racetrack_tests::staged_platform::{end, wait_until};
use serde_json::{Value, json};

/// A stage at which a deployment waits for something.
struct Stage {
    /// The gate that it waits at.
    gate: &'static str,
    /// Whether a job that was not there before is up in the end, although lifecycle ended at this stage.
    first_comes_up: bool,
    /// Whether a job that takes the place of another is. Before it is known to answer, the other one stays.
    next_comes_up: bool,
}

const STAGES: [Stage; 4] = [
    Stage { gate: "build", first_comes_up: false, next_comes_up: false },
    Stage { gate: "listen", first_comes_up: true, next_comes_up: false },
    Stage { gate: "ready", first_comes_up: true, next_comes_up: false },
    Stage { gate: "hooks", first_comes_up: true, next_comes_up: true },
];

#[test]
fn nothing_is_lost_or_left_behind_when_something_is_killed() {
    let mut platform = StagedPlatform::start("crashes");
    for Stage { gate, first_comes_up, next_comes_up } in STAGES {
        lifecycle_dies_during_a_first_deployment(&mut platform, gate, first_comes_up);
        lifecycle_dies_during_a_forced_redeployment(&mut platform, gate, next_comes_up);
    }
    image_builder_dies_during_a_build(&mut platform);
    a_job_dies(&platform);
    a_replica_dies(&platform);
    a_forced_redeployment_fails(&platform);
}

fn lifecycle_dies_during_a_first_deployment(platform: &mut StagedPlatform, stage: &str, comes_up: bool) {
    platform.close_gate(stage);
    let deployment = platform.deploy("adder", &json!({}), true);
    platform.wait_for_arrival(stage);
    platform.kill_lifecycle();
    platform.start_lifecycle();
    platform.open_gate(stage);
    let record = platform.outcome(&deployment);
    if comes_up {
        assert_eq!(record["status"], "done", "{stage}: {record}");
        assert_eq!(platform.job("adder")["status"], "running", "{stage}");
        assert_eq!(platform.call("adder").0, 200, "{stage}");
        platform.wait_for_processes(1);
        platform.delete("adder");
    } else {
        assert_eq!(record["status"], "failed", "{stage}: {record}");
        let error = record["error"].as_str().expect("a text");
        assert!(error.starts_with("halted due to server restart"), "{stage}: {error}");
        assert_eq!(platform.job("adder"), Value::Null, "{stage}");
    }
    platform.wait_for_processes(0);
    assert_eq!(platform.names(".racetrack-run/image-builder/workspaces"), Vec::<String>::new(), "{stage}");
}

fn lifecycle_dies_during_a_forced_redeployment(platform: &mut StagedPlatform, stage: &str, comes_up: bool) {
    let first = platform.deploy("adder", &json!({"runtime_env": {"COLOR": "old"}}), true);
    assert_eq!(platform.outcome(&first)["status"], "done", "{stage}");
    platform.close_gate(stage);
    let deployment = platform.deploy("adder", &json!({"runtime_env": {"COLOR": "new"}}), true);
    platform.wait_for_arrival(stage);
    platform.kill_lifecycle();
    platform.start_lifecycle();
    // Whatever becomes of the new one: somebody answers.
    wait_until(&format!("`latest` answers after {stage}"), || {
        (platform.call("adder").0 == 200).then_some(())
    });
    platform.open_gate(stage);
    let record = platform.outcome(&deployment);
    let (status, color) = if comes_up { ("done", "new") } else { ("failed", "old") };
    assert_eq!(record["status"], status, "{stage}: {record}");
    let (code, body) = platform.call("adder");
    assert_eq!((code, &body["color"]), (200, &json!(color)), "{stage}");
    platform.wait_for_processes(1);
    platform.delete("adder");
    platform.wait_for_processes(0);
}

fn image_builder_dies_during_a_build(platform: &mut StagedPlatform) {
    platform.close_gate("build");
    let deployment = platform.deploy("adder", &json!({}), true);
    platform.wait_for_arrival("build");
    platform.kill_image_builder();
    let record = platform.outcome(&deployment);
    assert_eq!(record["status"], "failed");
    let error = record["error"].as_str().expect("a text");
    assert!(error.starts_with("building an image: image-builder went away while it was building"), "{error}");
    assert_eq!(platform.job("adder"), Value::Null);
    platform.open_gate("build");
    platform.start_image_builder();
    assert_eq!(platform.names(".racetrack-run/image-builder/workspaces"), Vec::<String>::new());
    let deployment = platform.deploy("adder", &json!({}), true);
    assert_eq!(platform.outcome(&deployment)["status"], "done");
    platform.delete("adder");
}

fn a_job_dies(platform: &StagedPlatform) {
    let deployment = platform.deploy("adder", &json!({}), true);
    assert_eq!(platform.outcome(&deployment)["status"], "done");
    let [pid] = platform.processes()[..] else { panic!("one process: {:?}", platform.processes()) };
    end(pid).expect("the process is there");
    let answered = wait_until("the job answers again", || match platform.call("adder") {
        (200, body) => Some(body),
        _ => None,
    });
    assert_ne!(answered["pid"], json!(pid));
    wait_until("the job is seen running", || (platform.job("adder")["status"] == "running").then_some(()));
    platform.delete("adder");
    platform.wait_for_processes(0);
}

fn a_replica_dies(platform: &StagedPlatform) {
    let deployment = platform.deploy("adder", &json!({"replicas": 2}), true);
    assert_eq!(platform.outcome(&deployment)["status"], "done");
    platform.wait_for_processes(2);
    let answers = |count: usize| (0..count).map(|_| platform.call("adder").0).collect::<Vec<_>>();
    assert_eq!(answers(4), [200; 4]);
    let pid = platform.processes()[0];
    end(pid).expect("the process is there");
    // From the first moment on, while its sockets may still be there.
    assert_eq!(answers(8), [200; 8], "the other one answers");
    wait_until("the replica is gone", || (!platform.processes().contains(&pid)).then_some(()));
    platform.wait_for_processes(2);
    platform.delete("adder");
    platform.wait_for_processes(0);
}

fn a_forced_redeployment_fails(platform: &StagedPlatform) {
    let deployment = platform.deploy("adder", &json!({"runtime_env": {"COLOR": "old"}}), true);
    assert_eq!(platform.outcome(&deployment)["status"], "done");
    let is_over = Arc::new(AtomicBool::new(false));
    let calls = AtomicUsize::new(0);
    let (record, failures) = thread::scope(|scope| {
        let caller = scope.spawn(|| {
            let mut failures = Vec::new();
            while !is_over.load(Ordering::Acquire) {
                let (status, body) = platform.call("adder");
                calls.fetch_add(1, Ordering::Relaxed);
                if (status, &body["color"]) != (200, &json!("old")) {
                    failures.push((status, body));
                }
            }
            failures
        });
        let crash = json!({"runtime_env": {"COLOR": "new", "CRASH": "1"}});
        platform.close_gate("listen");
        let deployment = platform.deploy("adder", &crash, true);
        platform.wait_for_arrival("listen");
        wait_until("there were calls meanwhile", || (calls.load(Ordering::Relaxed) > 50).then_some(()));
        platform.open_gate("listen");
        let record = platform.outcome(&deployment);
        is_over.store(true, Ordering::Release);
        (record, caller.join().expect("the caller does not panic"))
    });
    assert_eq!(record["status"], "failed");
    let error = record["error"].as_str().expect("a text");
    assert!(error.contains("crashing as asked"), "the log of the job is in it: {error}");
    assert_eq!(failures, []);
    platform.wait_for_processes(1);
    platform.delete("adder");
}
