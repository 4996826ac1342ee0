//! What image-builder is told that is needed no longer, and what it is not told.

use std::time::Duration;

use racetrack_lifecycle::settings::Switch;
use racetrack_service::settings::Span;
use serde_json::{Value, json};

use super::fake_image_builder::BuildAnswer;
use super::harness::{Server, Setup, adder, manifest};
use super::switches::Behaviour::{Fail, Hang};

/// A lifecycle that looks all the time, and needs none of the last deployments.
fn setup() -> Setup {
    let mut setup = Setup::new(&["north"]);
    setup.settings.retention_interval = Some(Span(Duration::from_millis(10)));
    setup.settings.retention_deployments = Some(0);
    setup
}

fn job(name: &str) -> Value {
    json!({ "manifest": manifest(name, "1.0.0") })
}

fn id(record: &Value) -> &str {
    record["id"].as_str().expect("is a text")
}

fn image(record: &Value) -> &str {
    record["image_name"].as_str().expect("is a text")
}

impl Server {
    async fn deployed_and_deleted(&self, name: &str) -> Value {
        let record = self.deployed(&job(name)).await;
        self.delete(&format!("/job/{name}/1.0.0")).await.ok();
        record
    }
}

#[tokio::test]
async fn what_neither_a_job_nor_a_target_nor_a_deployment_under_way_needs_is_released() {
    let server = setup().start().await;
    let gone = server.deployed_and_deleted("gone").await;
    let orphan = server.deployed_and_deleted("orphan").await;
    let kept = server.deployed(&adder("1.0.0")).await;
    server.target("north").uses_images(&[image(&orphan)]);
    let gate = server.builder.gate();
    let under_way = server.deploy(&job("slow")).await;
    gate.reached().await;
    for record in [&gone, &orphan, &kept] {
        server.builder.hold(image(record), id(record));
    }
    // Where the bundles are may have got another name.
    server.builder.hold(&format!("/moved/{}", image(&kept)), id(&gone));
    // Known by the deployment alone: lifecycle has not heard of the image yet.
    server.builder.hold("/bundles/just-made", &under_way);
    server.builder.hold("/bundles/of-another-database", "5c0a1d9e-7a40-4a8e-9d7c-0242ac120002");
    let (images, build_logs) = server.builder.next_release().await;
    assert_eq!(images, [image(&gone)]);
    // Both their jobs are gone, and with them whoever was shown the logs.
    assert_eq!(build_logs, [id(&gone), id(&orphan), id(&gone)]);
    assert_eq!(server.app.store.build_logs(id(&gone)).await.expect("can be read"), None);
    assert!(server.app.store.build_logs(id(&kept)).await.expect("can be read").is_some());

    gate.open();
    server.ended(&under_way).await;
    let (images, _) = server.builder.next_release().await;
    assert_eq!(images, [image(&gone), "/bundles/just-made"], "it was built and is not the image of any job");
    let platform = &server.builder.orders()[0].body["platform_id"];
    assert_eq!(platform.as_str().map(str::len), Some(36));
    assert!(server.builder.platforms().iter().all(|told| told == platform));
}

#[tokio::test]
async fn the_last_deployments_keep_what_they_had_built() {
    let mut setup = setup();
    setup.settings.retention_deployments = Some(2);
    let server = setup.start().await;
    let mut records = Vec::new();
    for name in ["first", "second", "third"] {
        let record = server.deployed_and_deleted(name).await;
        server.builder.hold(image(&record), id(&record));
        records.push(record);
    }
    let (images, build_logs) = server.builder.next_release().await;
    assert_eq!(
        (&images[..], &build_logs[..]),
        (&[image(&records[0]).to_owned()][..], &[id(&records[0]).to_owned()][..])
    );
}

/// A deployment that is under way keeps the image of the job that it is to replace, whoever tries to delete the job
/// meanwhile.
#[tokio::test]
async fn a_job_that_is_redeployed_keeps_its_image_until_the_new_one_serves() {
    let server = setup().start().await;
    let former = server.deployed(&adder("1.0.0")).await;
    server.builder.hold(image(&former), id(&former));
    let built = json!({"result": {"image_names": ["/bundles/new"], "logs": "", "error": null}});
    server.builder.answer(BuildAnswer::Result(built));
    let gate = server.target("north").switches.gate("check_job_condition");
    let redeploying = tokio::spawn({
        let server = server.clone();
        async move { server.post("/job/adder/1.0.0/redeploy", &Value::Null).await }
    });
    gate.reached().await;
    assert_eq!(server.delete("/job/adder/1.0.0").await.status, 409);
    let deployments = server.get("/deploy").await.ok();
    let mut deployments = deployments.as_array().expect("a list").iter();
    let under_way = deployments.find(|record| record["status"] == "in_progress").expect("is under way");
    server.builder.hold("/bundles/new", id(under_way));
    assert_eq!(server.builder.next_release().await.0, [""; 0], "both are needed");
    gate.open();
    redeploying.await.expect("ends").ok();
    assert_eq!(server.builder.next_release().await.0, [image(&former)]);
}

#[tokio::test]
async fn nothing_is_released_while_a_target_or_the_database_cannot_be_asked() {
    let server = setup().start().await;
    let gone = server.deployed_and_deleted("gone").await;
    server.builder.hold(image(&gone), id(&gone));
    let switches = &server.target("north").switches;
    switches.set("images_in_use", Fail("the record cannot be read"));
    // What was under way when that began may be released.
    server.builder.is_released_when_asked_twice().await;
    assert!(!server.builder.is_released_when_asked_twice().await);
    switches.clear();
    assert_eq!(server.builder.next_release().await.0, [image(&gone)]);

    server.app.store.close().await;
    server.builder.is_released_when_asked_twice().await;
    assert!(!server.builder.is_released_when_asked_twice().await);
}

#[tokio::test]
async fn a_deletion_is_followed_by_a_look_and_no_retention_by_none() {
    let mut rare = setup();
    rare.settings.retention_interval = Some(Span(Duration::from_hours(1)));
    let server = rare.start().await;
    let record = server.deployed(&adder("1.0.0")).await;
    server.builder.hold(image(&record), id(&record));
    let (release, _) = tokio::join!(server.builder.next_release(), server.delete("/job/adder/1.0.0"));
    assert_eq!(release.0, [image(&record)]);

    let mut off = setup();
    off.settings.retention = Some(Switch::Off);
    let server = off.start().await;
    server.deployed_and_deleted("adder").await;
    server.target("north").switches.set("images_in_use", Hang);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.builder.asked(), 0);
}
