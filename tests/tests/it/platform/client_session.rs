//! A day with the client: everything that goes well.

use racetrack_tests::platform::ADMINISTRATOR;
use racetrack_tests::{InstalledClient, Platform};
use serde_json::json;

use super::distribution::{client, platform};
use super::jobs;
use super::transcript;

const NUMBERS: &str = r#"{"numbers": [40, 2]}"#;

const LIST: [&str; 7] = ["list", "-c", "job_type", "-c", "infrastructure", "-c", "deployed_by"];

#[test]
fn jobs_are_deployed_called_followed_moved_and_deleted() {
    let platform = platform("client-session");
    let client = client(&platform);
    let (username, password) = ADMINISTRATOR;
    let _ = client.run_with_password(&["login", "--username", username], password).succeeded();
    let _ = client.run(&["get", "pub"]).succeeded();
    let _ = client.run(&["plugin", "list"]).succeeded();
    let _ = client.run(&["plugin", "list", "--job-types"]).succeeded();

    for sample in ["python-adder", "rust-adder"] {
        let folder = format!("samples/{sample}");
        let _ = client.run(&["deploy", &folder, "--build-context", "local"]).succeeded();
        assert_eq!(added(&client, sample), "42\n");
    }
    let _ = client.run(&LIST).succeeded();
    let build_logs = client.run_silently(&["build-logs", "python-adder"]).succeeded().stdout;
    assert!(build_logs.contains("The job type is python3:1.0.0."), "{build_logs}");
    let build_logs = client.run_silently(&["build-logs", "rust-adder", "--tail", "1"]).succeeded().stdout;
    assert_eq!(build_logs.trim_end(), "==> finalizing the build");

    follow_logs(&platform, &client);

    let _ =
        client.run(&["move", "python-adder", "--version", "0.0.1", "--infrastructure", "second"]).succeeded();
    assert_eq!(added(&client, "python-adder"), "42\n");
    let _ = client.run(&LIST).succeeded();
    let (_, processes) = platform.post("/plugin/process-infrastructure/run", &json!({"action": "status"}));
    let jobs_of = |target: &str| {
        let instances = processes[target].as_array().expect("a list").iter();
        instances.map(|instance| instance["job"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (jobs_of("process"), jobs_of("second")),
        (vec!["rust-adder".to_owned()], vec!["python-adder".to_owned()])
    );

    let _ = client.run(&["delete", "python-adder", "--version", "0.0.1"]).succeeded();
    let _ = client.run(&LIST).succeeded();
    let _ = client.run(&["call", "python-adder", "/api/v1/perform", NUMBERS]).failed_with(70);
    transcript::check("client_session", &client, &platform);
    platform.end();
}

fn added(client: &InstalledClient, job: &str) -> String {
    client.run(&["call", job, "/api/v1/perform", NUMBERS]).succeeded().stdout
}

/// Reads the logs of a job while it is called and deployed again, until it is deleted.
fn follow_logs(platform: &Platform, client: &InstalledClient) {
    let folder = jobs::write_witness(platform);
    let _ = client.run(&["deploy", &folder, "--build-context", "local"]).succeeded();
    let say = |what: &str| {
        let said =
            platform.call("witness/latest/api/v1/perform", Some(platform.token()), &json!({"say": what}));
        assert_eq!(said, (200, json!(what)));
    };
    say("before anybody follows");
    let following = client.follow(&["logs", "witness", "--follow"]);
    following.wait_for("before anybody follows");
    say("while somebody follows");
    following.wait_for("while somebody follows");
    let logs = client.run_silently(&["logs", "witness", "--tail", "500"]).succeeded().stdout;
    assert!(logs.lines().any(|line| line == "while somebody follows"), "{logs}");

    // The client wants an address that begins with https://.
    let manifest = json!({"manifest_yaml": jobs::write_witness_repository(platform)});
    assert_eq!(platform.put("/job/witness/0.0.1/manifest", &manifest), (200, json!(null)));
    let (_, before) = platform.get("/job/witness/0.0.1");
    assert_eq!(platform.post("/job/witness/0.0.1/redeploy", &json!({})), (200, json!(null)));
    let (_, redeployed) = platform.get("/job/witness/0.0.1");
    assert_ne!(before["image_tag"], redeployed["image_tag"]);
    let (_, deployments) = platform.get("/deploy?limit=1");
    assert_eq!(
        deployments[0]["warnings"],
        json!(null),
        "the manifest in the repository is the one submitted"
    );
    say("after it was built anew");
    following.wait_for("after it was built anew");
    assert_eq!(platform.post("/job/witness/latest/reprovision", &json!({})), (200, json!(null)));
    let (_, reprovisioned) = platform.get("/job/witness/0.0.1");
    assert_eq!(redeployed["image_tag"], reprovisioned["image_tag"]);
    assert_ne!(redeployed["internal_name"], reprovisioned["internal_name"]);
    say("after it was started anew");
    following.wait_for("after it was started anew");

    let _ = client.run(&["delete", "witness", "--version", "0.0.1"]).succeeded();
    assert!(following.ended().success());
}
