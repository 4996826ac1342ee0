//! What lifecycle does with what targets tell of their jobs.

use std::time::Duration;

use racetrack_core::{Job, JobSecrets, JobStatus};
use racetrack_service::settings::Span;
use serde_json::{Value, json};

use super::fake_target::instance;
use super::harness::{Server, Setup, adder, manifest};
use super::switches::Behaviour::{Fail, Hang};

/// When the jobs of the tests were deployed.
const EARLIER: i64 = 1_700_000_000;

/// A lifecycle that asks its targets all the time.
fn watching(targets: &[&'static str]) -> Setup {
    let mut setup = Setup::new(targets);
    setup.settings.monitor_interval = Some(Span(Duration::from_millis(10)));
    setup
}

/// Makes a job of `north` be known, and there.
async fn known(server: &Server, version: &str) -> Job {
    let mut job = instance("north", "adder", version, EARLIER);
    job.status = JobStatus::Running;
    server.target("north").put(job.clone());
    server.target("north").keep_secrets("adder", version, JobSecrets::default());
    job.manifest_yaml = Some(serde_yaml::to_string(&manifest("adder", version)).expect("is YAML"));
    job.job_type_version = Some("python3:1.0.0".to_owned());
    server.app.store.save_job(&job, &["image".to_owned()]).await.expect("is saved");
    // A listing that began before the job was there does not have it.
    server.target("north").is_taken_over().await;
    job
}

async fn until_job(server: &Server, version: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
    server.until(&format!("/job/adder/{version}"), is_wanted).await
}

#[tokio::test]
async fn what_a_target_tells_is_kept() {
    let server = watching(&["north"]).start().await;
    let mut told = known(&server, "1.0.0").await;
    told.status = JobStatus::Error;
    told.error = Some("out of memory".to_owned());
    told.notice = Some("it limps".to_owned());
    told.internal_name = Some("10.0.0.7:80".to_owned());
    told.replica_internal_names = vec!["10.0.0.7:80".to_owned(), "10.0.0.8:80".to_owned()];
    told.last_call_time = Some(EARLIER + 5);
    told.infrastructure_stats.insert("restarts".to_owned(), json!(3));
    server.target("north").list(vec![told.clone()]);
    let job = until_job(&server, "1.0.0", |job| job["status"] == "error").await;
    for (key, value) in [
        ("error", json!("out of memory")),
        ("notice", json!("it limps")),
        ("internal_name", json!("10.0.0.7:80")),
        ("replica_internal_names", json!(["10.0.0.7:80", "10.0.0.8:80"])),
        ("last_call_time", json!(EARLIER + 5)),
        ("infrastructure_stats", json!({ "restarts": 3 })),
        ("update_time", json!(EARLIER)),
    ] {
        assert_eq!(job[key], value, "{key}");
    }

    told.status = JobStatus::Running;
    told.error = None;
    told.notice = None;
    told.last_call_time = Some(EARLIER + 1);
    server.target("north").list(vec![told]);
    let job = until_job(&server, "1.0.0", |job| job["status"] == "running").await;
    assert_eq!((&job["error"], &job["notice"]), (&Value::Null, &Value::Null));
    assert_eq!(job["last_call_time"], EARLIER + 5, "the last call stays the last");
}

#[tokio::test]
async fn a_target_that_cannot_be_asked_loses_nothing() {
    let server = watching(&["north", "south"]).start().await;
    known(&server, "1.0.0").await;
    let mut elsewhere = instance("south", "adder", "2.0.0", EARLIER);
    elsewhere.status = JobStatus::Running;
    server.target("south").put(elsewhere.clone());
    server.app.store.save_job(&elsewhere, &[]).await.expect("is saved");
    server.target("south").is_taken_over().await;
    server.target("north").switches.set("list_jobs", Fail("no answer"));
    let stale = "its infrastructure target cannot be asked how it does";
    let job = until_job(&server, "1.0.0", |job| job["notice"] == stale).await;
    assert_eq!(job["status"], "running");
    assert_eq!(server.job("2.0.0").await["notice"], Value::Null, "the other target answers");
    server.target("north").switches.clear();
    until_job(&server, "1.0.0", |job| job["notice"] == Value::Null).await;
}

#[tokio::test]
async fn a_job_of_a_target_that_no_plugin_offers_is_stale() {
    let server = watching(&["north"]).start().await;
    let mut job = known(&server, "1.0.0").await;
    job.infrastructure_target = Some("west".to_owned());
    server.app.store.save_job(&job, &[]).await.expect("is saved");
    let job = until_job(&server, "1.0.0", |job| job["notice"] != Value::Null).await;
    assert_eq!(job["status"], "running");
    let gone = "Selected infrastructure target \"west\" is unavailable. Available are north.";
    assert_eq!(server.get("/job/adder/1.0.0/logs").await.error(400), gone);
    // Nobody else could ever delete it.
    assert_eq!(server.delete("/job/adder/1.0.0").await.ok(), Value::Null);
    assert_eq!(server.jobs().await, [""; 0]);
}

#[tokio::test]
async fn a_job_that_its_target_does_not_have_is_lost_and_may_come_back() {
    let server = watching(&["north"]).start().await;
    let job = known(&server, "1.0.0").await;
    server.target("north").lose_jobs();
    let lost = until_job(&server, "1.0.0", |job| job["status"] == "lost").await;
    assert_eq!(lost["error"], "the infrastructure target does not have the job");
    server.target("north").put(job);
    let back = until_job(&server, "1.0.0", |job| job["status"] == "running").await;
    assert_eq!(back["error"], Value::Null);
}

/// A job that was deployed while the clock of the machine was ahead is watched like any other.
#[tokio::test]
async fn a_job_of_the_future_is_looked_after() {
    let server = watching(&["north"]).start().await;
    let mut job = known(&server, "1.0.0").await;
    job.update_time = 4_000_000_000;
    server.app.store.save_job(&job, &[]).await.expect("is saved");
    let mut told = job.clone();
    told.internal_name = Some("10.0.0.7:80".to_owned());
    server.target("north").list(vec![told]);
    until_job(&server, "1.0.0", |job| job["internal_name"] == "10.0.0.7:80").await;
    server.target("north").list(Vec::new());
    until_job(&server, "1.0.0", |job| job["status"] == "lost").await;
}

#[tokio::test]
async fn a_lost_job_is_deleted_like_any_other() {
    let server = watching(&["north"]).start().await;
    known(&server, "1.0.0").await;
    server.target("north").lose_jobs();
    until_job(&server, "1.0.0", |job| job["status"] == "lost").await;
    assert_eq!(server.delete("/job/adder/1.0.0").await.ok(), Value::Null);
    assert_eq!(server.jobs().await, [""; 0]);
}

#[tokio::test]
async fn jobs_are_left_alone_while_they_are_being_deployed() {
    let server = watching(&["north"]).start().await;
    known(&server, "1.0.0").await;
    let starting = instance("north", "adder", "2.0.0", EARLIER);
    server.app.store.save_job(&starting, &[]).await.expect("is saved");
    known(&server, "3.0.0").await;
    let gate = server.builder.gate();
    let id = server.deploy(&super::harness::forced(adder("3.0.0"))).await;
    gate.reached().await;
    let before = server.job("3.0.0").await;
    server.target("north").lose_jobs();
    until_job(&server, "1.0.0", |job| job["status"] == "lost").await;
    server.target("north").is_taken_over().await;
    assert_eq!(server.job("3.0.0").await, before);
    // Nobody waits any more for one that is starting without a deployment.
    until_job(&server, "2.0.0", |job| job["status"] == "lost").await;
    gate.open();
    assert_eq!(server.ended(&id).await["status"], "done");
}

#[tokio::test]
async fn what_a_target_tells_of_an_older_instance_is_not_kept() {
    let server = watching(&["north"]).start().await;
    let mut told = known(&server, "1.0.0").await;
    told.update_time = EARLIER - 1;
    told.internal_name = Some("10.0.0.1:80".to_owned());
    told.status = JobStatus::Error;
    server.target("north").list(vec![told]);
    server.target("north").is_taken_over().await;
    let job = server.job("1.0.0").await;
    assert_eq!(
        (&job["status"], &job["internal_name"]),
        (&json!("running"), &json!(format!("north:{EARLIER}")))
    );
}

#[tokio::test]
async fn callers_are_not_sent_to_an_instance_that_began_while_the_target_was_asked() {
    let server = watching(&["north"]).start().await;
    let target = server.target("north");
    known(&server, "1.0.0").await;
    let listing = target.switches.gate("list_jobs");
    listing.reached().await;
    let check = target.switches.gate("check_job_condition");
    let other = server.clone();
    let again =
        tokio::spawn(async move { other.post("/job/adder/1.0.0/reprovision", &Value::Null).await.ok() });
    check.reached().await;
    // Lifecycle asked before the deployment began, and is told of the instance that is not ready.
    let mut started = instance("north", "adder", "1.0.0", EARLIER + 100);
    started.internal_name = Some("not-ready:80".to_owned());
    target.list(vec![started]);
    listing.open();
    listing.reached().await;
    assert_eq!(server.job("1.0.0").await["internal_name"], format!("north:{EARLIER}"));
    target.switches.clear();
    listing.open();
    check.open();
    assert_eq!(again.await.expect("ends"), Value::Null);
}

#[tokio::test]
async fn a_job_that_lifecycle_does_not_know_is_left_where_it_is() {
    let server = watching(&["north"]).start().await;
    let stranger = instance("north", "stranger", "1.0.0", EARLIER);
    server.target("north").put(stranger);
    server.target("north").is_taken_over().await;
    assert_eq!(server.jobs().await, [""; 0]);
    assert_eq!(server.target("north").instances().len(), 1);
    assert_eq!(server.world.journal.take(&["delete"]), [""; 0]);
}

#[tokio::test]
async fn a_job_whose_type_is_gone_says_so_until_it_is_there_again() {
    const OBSOLETE: &str = "This version of the job type is obsolete and no longer available.";
    let server = watching(&["north"]).start().await;
    let mut job = known(&server, "1.0.0").await;
    job.job_type_version = Some("python3:0.9.0".to_owned());
    job.notice = Some("it limps".to_owned());
    server.target("north").put(job.clone());
    server.app.store.save_job(&job, &[]).await.expect("is saved");
    let expected = format!("it limps; {OBSOLETE}");
    until_job(&server, "1.0.0", |job| job["notice"] == expected).await;
    server.target("north").is_taken_over().await;
    assert_eq!(server.job("1.0.0").await["notice"], expected, "it is said once");

    let redeployed = server.post("/job/adder/1.0.0/reprovision", &Value::Null).await;
    redeployed.ok();
    server.target("north").is_taken_over().await;
    let job = server.job("1.0.0").await;
    assert_eq!(job["job_type_version"], "python3:0.9.0", "the images are those of the old type");
    server.post("/job/adder/1.0.0/redeploy", &Value::Null).await.ok();
    let job = until_job(&server, "1.0.0", |job| job["notice"] == Value::Null).await;
    assert_eq!(job["job_type_version"], "python3:1.0.0");
}

#[tokio::test]
async fn lost_jobs_are_brought_back_where_that_is_wanted() {
    let mut setup = watching(&["north"]);
    setup.settings.reconcile_lost_jobs = Some(true);
    setup.settings.reconciliation_interval = Some(Span(Duration::from_millis(50)));
    let server = setup.start().await;
    known(&server, "1.0.0").await;
    server.target("north").lose_jobs();
    let back = |records: &Value| records[0]["status"] == "done";
    let records = server.until("/deploy", back).await;
    assert_eq!(records[0]["deployed_by"], "racetrack");
    until_job(&server, "1.0.0", |job| job["status"] == "running").await;
    assert_eq!(server.target("north").last_request().image_names, ["image"]);
    assert_eq!(server.builder.orders().len(), 0, "nothing is built");
}

#[tokio::test]
async fn lost_jobs_stay_lost_where_that_is_not_wanted() {
    let server = watching(&["north"]).start().await;
    known(&server, "1.0.0").await;
    known(&server, "2.0.0").await;
    server.target("north").lose_jobs();
    for version in ["1.0.0", "2.0.0"] {
        until_job(&server, version, |job| job["status"] == "lost").await;
    }
    assert_eq!(server.deployment_count().await, 0);
    // An administrator asks for it.
    assert_eq!(server.post("/job/all/reconcile", &Value::Null).await.ok(), Value::Null);
    assert_eq!(server.jobs().await, ["adder 1.0.0 running", "adder 2.0.0 running"]);
    assert_eq!(server.deployment_count().await, 2);
}

#[tokio::test]
async fn a_lost_job_that_does_not_come_up_does_not_keep_others_from_it() {
    let server = watching(&["north"]).start().await;
    known(&server, "1.0.0").await;
    known(&server, "2.0.0").await;
    let mut spoiled = server.app.store.job("adder", "1.0.0").await.expect("is there").job.clone();
    spoiled.manifest_yaml = None;
    server.app.store.save_job(&spoiled, &[]).await.expect("is saved");
    server.target("north").lose_jobs();
    for version in ["1.0.0", "2.0.0"] {
        until_job(&server, version, |job| job["status"] == "lost").await;
    }
    server.post("/job/all/reconcile", &Value::Null).await.ok();
    assert_eq!(server.jobs().await, ["adder 1.0.0 lost", "adder 2.0.0 running"]);
}

#[tokio::test]
async fn health_says_which_target_cannot_store_anything() {
    let server = Setup::new(&["north", "south"]).start().await;
    server.until_health(200).await;
    server
        .target("south")
        .switches
        .set("check_storage", Fail("cannot write /state: No space left on device"));
    let health = server.until_health(500).await;
    assert_eq!(health["database_connected"], json!(true));
    let error = health["error"].as_str().expect("a reason");
    assert!(error.contains("south") && error.ends_with("No space left on device"), "{error}");
    server.target("south").switches.clear();
    server.until_health(200).await;
    // One that does not answer is not asked again, and does not make others wait for more than its time.
    server.target("north").switches.set("check_storage", Hang);
    let health = server.until_health(500).await;
    assert!(health["error"].as_str().is_some_and(|error| error.contains("north")), "{health}");
}
