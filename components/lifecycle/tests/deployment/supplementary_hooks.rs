//! Plugins that fail when they are told of a job that is up, or gone.

use axum::http::Method;
use racetrack_store::{AuditEventType, AuditFilter, Visibility};
use serde_json::{Value, json};

use super::harness::{COMPONENT_TOKEN, SOON, Server, Setup, adder, with};
use super::switches::Behaviour::{Fail, Hang, Panic};

async fn server_with_failing_listeners(hook: &str) -> Server {
    let mut setup = Setup::new(&["north"]);
    setup.hook_time_limit = Some(SOON);
    let server = setup.start().await;
    server.world.switches.set(&format!("first {hook}"), Fail("the mail server\nis down"));
    server.world.switches.set(&format!("second {hook}"), Panic("out of paper"));
    server.world.switches.set(&format!("third {hook}"), Hang);
    server
}

/// What is told of the failures; the first one has another text.
fn failures(hook: &str, first: &str) -> [String; 3] {
    let limit = format!("it did not finish within {} s", SOON.as_secs());
    let reasons = [first, "it panicked: out of paper", &limit];
    std::array::from_fn(|index| {
        let plugin = ["first", "second", "third"][index];
        format!("hook `{hook}` of plugin `{plugin}` 1.0.0 failed: {}", reasons[index])
    })
}

#[tokio::test]
async fn failing_plugins_are_warnings_of_a_deployment_that_is_done() {
    let server = server_with_failing_listeners("post_job_deploy").await;
    let record = server.deployed(&adder("1.0.0")).await;
    assert_eq!((&record["error"], &record["job"]["status"]), (&Value::Null, &json!("running")));
    let warnings: Vec<_> = record["warnings"].as_str().expect("is a text").lines().collect();
    assert_eq!(warnings, failures("post_job_deploy", "the mail server is down"), "a line each");
    let told = server.world.journal.take(&["post_job_deploy"]);
    let image = record["image_name"].as_str().expect("is a text");
    let expected = ["first", "second", "third"]
        .map(|plugin| format!("{plugin} post_job_deploy adder 1.0.0 on north from {image} by admin"));
    assert_eq!(told, expected, "all are called, in hook order");
    let kept = json!({ "warnings": failures("post_job_deploy", "the mail server\nis down") });
    server.post("/job/adder/1.0.0/reprovision", &Value::Null).await.ok();
    let events = server.audit().await;
    let [deployed, redeployed] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((&deployed["event_type"], &deployed["properties"]), (&json!("job_deployed"), &kept));
    assert_eq!((&redeployed["event_type"], &redeployed["properties"]), (&json!("job_redeployed"), &kept));
}

#[tokio::test]
async fn failing_plugins_are_warnings_of_a_move_that_is_done() {
    let server = Setup::new(&["north", "south"]).start().await;
    server.deployed(&with(adder("1.0.0"), "/manifest/infrastructure_target", "north")).await;
    server.world.switches.set("first post_job_delete", Fail("no"));
    server.world.switches.set("second post_job_deploy", Fail("no"));
    server.target("north").switches.set("delete_job", Fail("it clings"));
    server.post("/job/adder/1.0.0/move", &json!({ "infrastructure_target": "south" })).await.ok();
    let moved = &server.audit().await[1];
    let warnings = [
        "deleting job from a former infrastructure: `delete_job` of infrastructure target `north` (plugin `offers` \
         1.0.0) failed: it clings",
        "hook `post_job_delete` of plugin `first` 1.0.0 failed: no",
        "hook `post_job_deploy` of plugin `second` 1.0.0 failed: no",
    ];
    let kept = json!({ "from": "north", "to": "south", "warnings": warnings });
    assert_eq!((&moved["event_type"], &moved["properties"]), (&json!("job_moved"), &kept));
    let record = &server.get("/deploy?limit=1").await.ok()[0];
    assert_eq!(record["warnings"], warnings.join("\n"));
}

#[tokio::test]
async fn warnings_of_image_builder_come_before_those_of_plugins() {
    let server = Server::start().await;
    server.world.switches.set("third post_job_deploy", Fail("no"));
    let gate = server.builder.gate();
    let id = server.deploy(&adder("1.0.0")).await;
    gate.reached().await;
    let warnings = json!({ "warnings": "the context differs from git\nthe cache is cold" });
    let path = format!("/deploy/{id}/warnings");
    server.send(COMPONENT_TOKEN, Method::PUT, &path, warnings.to_string()).await.ok();
    gate.open();
    let record = server.ended(&id).await;
    assert_eq!(
        record["warnings"],
        "the context differs from git\nthe cache is cold\nhook `post_job_deploy` of plugin `third` 1.0.0 failed: no"
    );
}

#[tokio::test]
async fn failing_plugins_are_warnings_of_a_deletion_that_is_done() {
    let server = server_with_failing_listeners("post_job_delete").await;
    server.deployed(&adder("1.0.0")).await;
    assert_eq!(server.delete("/job/adder/1.0.0").await.ok(), Value::Null);
    assert_eq!(server.jobs().await, [""; 0]);
    let told = server.world.journal.take(&["delete"]);
    let expected = [
        "north delete_job adder 1.0.0",
        "first post_job_delete adder 1.0.0 on north by admin",
        "second post_job_delete adder 1.0.0 on north by admin",
        "third post_job_delete adder 1.0.0 on north by admin",
    ];
    assert_eq!(told, expected);
    let events =
        server.app.store.audit_events(&AuditFilter::default(), &Visibility::ALL, 1).await.expect("are read");
    assert_eq!(events[0].event_type, AuditEventType::JobDeleted);
    assert_eq!(
        events[0].properties["warnings"],
        json!(failures("post_job_delete", "the mail server\nis down"))
    );
}

#[tokio::test]
async fn a_deletion_without_failures_has_no_warnings() {
    let server = Server::start().await;
    server.deployed(&adder("1.0.0")).await;
    server.delete("/job/adder/1.0.0").await.ok();
    let events = server.audit().await;
    assert_eq!((&events[1]["event_type"], &events[1]["properties"]), (&json!("job_deleted"), &json!({})));
}

#[tokio::test]
async fn a_target_that_keeps_a_job_keeps_it_deployed() {
    let server = Server::start().await;
    server.deployed(&adder("1.0.0")).await;
    server.target("north").switches.set("delete_job", Fail("it clings"));
    let error = server.delete("/job/adder/1.0.0").await.error(500);
    assert_eq!(
        error,
        "deleting job resource: `delete_job` of infrastructure target `north` (plugin `offers` 1.0.0) failed: it clings"
    );
    assert_eq!(server.jobs().await, ["adder 1.0.0 running"]);
    assert_eq!(server.world.journal.take(&["post_job_delete"]), [""; 0]);
    assert_eq!(server.audit_types().await, ["job_deployed"]);
}
