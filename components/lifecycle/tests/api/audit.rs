//! The audit trail, as it is listed and told.

use racetrack_store::{AuditEventType, NewAuditEvent, Permission, Scope};
use serde_json::{Value, json};

use crate::harness::Server;

/// Permissions to read every job.
const READER: [Permission; 1] = [Permission::everywhere(Scope::ReadJob)];

/// A server with an event of each kind, all of `bob` but the deletion.
async fn server() -> Server {
    let server = Server::start().await;
    let events = [
        (AuditEventType::JobDeployed, json!({}), "bob", None),
        (AuditEventType::JobRedeployed, json!({}), "bob", None),
        (AuditEventType::JobMoved, json!({ "from": "docker", "to": "process" }), "bob", None),
        (AuditEventType::DeploymentFailed, json!({ "error": "no space\nleft" }), "bob", None),
        (AuditEventType::JobDeleted, json!({}), "alice", Some("bob")),
    ];
    for (event_type, properties, executor, subject) in events {
        let mut event = NewAuditEvent::new(event_type);
        event.properties = properties.as_object().expect("is an object").clone();
        event.username_executor = Some(executor.to_owned());
        event.username_subject = subject.map(str::to_owned);
        event.job_name = Some("adder".to_owned());
        let version = if event_type == AuditEventType::JobDeleted { "2.0.0" } else { "1.0.0" };
        event.job_version = Some(version.to_owned());
        server.app.store.add_audit_event(&event).await.expect("is added");
    }
    let mut installed = NewAuditEvent::new(AuditEventType::PluginInstalled);
    installed.properties.insert("plugin_name".to_owned(), json!("docker"));
    installed.properties.insert("plugin_version".to_owned(), json!("1.5.0"));
    server.app.store.add_audit_event(&installed).await.expect("is added");
    server
}

fn explanations(events: &Value) -> Vec<&str> {
    let events = events.as_array().expect("are there").iter();
    events.map(|event| event["explanation"].as_str().expect("is a text")).collect()
}

#[tokio::test]
async fn activity_is_told_in_words_newest_first() {
    let server = server().await;
    let alice = server.user("alice", &READER).await;
    let activity = server.get(&alice, "/audit/activity").await.ok();
    let expected = [
        "somebody installed plugin docker 1.5.0",
        "alice deleted job adder 2.0.0 of bob",
        "bob failed to deploy job adder 1.0.0: no space",
        "bob moved job adder 1.0.0 from docker to process",
        "bob redeployed job adder 1.0.0",
        "bob deployed job adder 1.0.0",
    ];
    assert_eq!(explanations(&activity["events"]), expected);
    let time_ago = activity["events"][0]["time_ago"].as_str().expect("is a text");
    assert!(time_ago == "just now" || time_ago.ends_with(" ago"), "{time_ago}");
    assert_eq!(activity["events"][1]["username_subject"], "bob");
    assert_eq!(activity["filter_related_to_me"], false);
}

#[tokio::test]
async fn activity_is_filtered() {
    let server = server().await;
    let bob = server.user("bob", &READER).await;
    let count = async |query: &str| {
        let activity = server.get(&bob, &format!("/audit/activity?{query}")).await.ok();
        activity["events"].as_array().map(Vec::len).expect("are there")
    };
    assert_eq!(count("").await, 6);
    assert_eq!(count("job_name=adder").await, 5);
    assert_eq!(count("job_name=adder&job_version=2.0.0").await, 1);
    assert_eq!(count("job_name=&job_version=&related_to_me=").await, 6);
    assert_eq!(count("related_to_me=True&job_version=1.0.0").await, 4);
    let activity = server.get(&bob, "/audit/activity?related_to_me=1&job_name=adder").await.ok();
    let filters =
        ["filter_job_name", "filter_job_version", "filter_related_to_me"].map(|name| &activity[name]);
    assert_eq!(filters, [&json!("adder"), &json!(""), &json!(true)]);
}

#[tokio::test]
async fn events_are_listed_for_all_and_for_oneself() {
    let server = server().await;
    let alice = server.user("alice", &[]).await;
    let esc = server.esc("watcher", &READER).await;
    for (token, path, count) in [
        (&esc, "/audit/events", 6),
        (&esc, "/audit/events/job/adder", 5),
        (&esc, "/audit/events/job/adder/1.0.0", 4),
        (&esc, "/audit/events/job/primer", 0),
        (&alice, "/audit/user_events", 1),
        (&alice, "/audit/user_events/job/adder", 1),
        (&alice, "/audit/user_events/job/adder/2.0.0", 1),
        (&alice, "/audit/user_events/job/adder/1.0.0", 0),
    ] {
        let events = server.get(token, path).await.ok();
        assert_eq!(events.as_array().map(Vec::len), Some(count), "{path}");
    }
    assert_eq!(server.get(&esc, "/audit/user_events").await.status, 401);
    let event = &server.get(&alice, "/audit/user_events").await.ok()[0];
    assert_eq!((&event["event_type"], &event["version"]), (&json!("job_deleted"), &json!(1)));
    assert!(event.get("explanation").is_none());
}

#[tokio::test]
async fn no_more_than_a_hundred_events_are_listed() {
    let server = server().await;
    for _ in 0..100 {
        let event = NewAuditEvent::new(AuditEventType::JobDeployed);
        server.app.store.add_audit_event(&event).await.expect("is added");
    }
    let events = server.get(&server.admin().await, "/audit/events").await.ok();
    assert_eq!(events.as_array().map(Vec::len), Some(100));
    assert!(events.as_array().expect("are there").iter().all(|event| event["event_type"] == "job_deployed"));
}
