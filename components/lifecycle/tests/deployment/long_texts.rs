//! Plugins and builds that say far more than anybody wants to know.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use racetrack_core::JobStatus;
use racetrack_service::settings::Span;
use racetrack_store::DatabaseUrl;
use serde_json::json;

use super::fake_image_builder::BuildAnswer;
use super::fake_target::instance;
use super::harness::{Server, Setup, adder, manifest};
use super::switches::Behaviour::Fail;

/// A text of 20 MB, which nobody frees.
fn long_text() -> &'static str {
    format!("begin{}end", "é".repeat(10_000_000)).leak()
}

/// Whether it is both ends of [`long_text`].
fn is_cut(text: &str) -> bool {
    text.contains("beginé") && text.contains(" bytes left out …]é") && text.ends_with("éend")
}

#[tokio::test]
async fn a_target_that_fails_at_length_leaves_a_short_record() {
    let server = Server::start().await;
    server.target("north").switches.set("check_job_condition", Fail(long_text()));
    let record = server.failed(&adder("1.0.0")).await;
    let error = record["error"].as_str().unwrap_or_default();
    assert!(is_cut(error) && error.len() <= 32 * 1024, "{}", error.len());
    assert!(error.starts_with("verifying deployed job: `check_job_condition` of "), "{error}");
    assert!(server.get("/deploy").await.body.len() < 40_000);
    assert!(server.get("/audit/events").await.body.len() < 20_000);
    server.target("north").switches.clear();
    server.deployed(&adder("1.0.0")).await;
}

#[tokio::test]
async fn a_plugin_that_fails_at_length_leaves_a_short_warning() {
    let server = Server::start().await;
    server.world.switches.set("second post_job_deploy", Fail(long_text()));
    let record = server.deployed(&adder("1.0.0")).await;
    let warnings = record["warnings"].as_str().unwrap_or_default();
    assert!(is_cut(warnings) && warnings.len() <= 4096, "{}", warnings.len());
    assert!(server.get("/audit/events").await.body.len() < 40_000);
}

#[tokio::test]
async fn a_build_that_fails_at_length_leaves_a_short_record_and_both_ends_of_its_log() {
    let server = Server::start().await;
    let answer = json!({ "result": { "image_names": [], "logs": long_text(), "error": format!("begin{}end", "é".repeat(100_000)) } });
    server.builder.answer(BuildAnswer::Result(answer));
    let record = server.failed(&adder("1.0.0")).await;
    let error = record["error"].as_str().unwrap_or_default();
    assert!(is_cut(error) && error.len() <= 32 * 1024, "{}", error.len());
    for path in ["/job/adder/1.0.0/build-logs", "/job/adder/1.0.0/build-logs?tail=999999999"] {
        let answer = server.get(path).await.ok();
        let logs = answer["logs"].as_str().unwrap_or_default();
        assert!(logs.len() <= 4 << 20 && logs.starts_with("[… ") && logs.ends_with("éend"));
    }
    let plain = server.get("/job/adder/1.0.0/build-logs/plain?tail=1").await;
    assert!(plain.text().len() <= 4 << 20 && plain.text().ends_with("éend"));

    let too_long = json!({ "result": { "image_names": ["i".repeat(5000)], "logs": "", "error": null } });
    server.builder.answer(BuildAnswer::Result(too_long));
    let record = server.failed(&adder("1.0.0")).await;
    assert!(record["error"].as_str().is_some_and(|error| error.contains("longer than 4096 bytes")));
}

#[tokio::test]
async fn logs_are_answered_in_part_whatever_the_target_gives() {
    let server = Server::start().await;
    server.deployed(&adder("1.0.0")).await;
    server.target("north").log(long_text());
    for path in ["/job/adder/1.0.0/logs?tail=1", "/job/adder/1.0.0/logs?tail=0"] {
        let answer = server.get(path).await.ok();
        let logs = answer["logs"].as_str().unwrap_or_default();
        assert!(logs.len() <= 4 << 20 && logs.ends_with("éend"), "{}", logs.len());
        let left_out = long_text().len() - (logs.len() - logs.find('é').unwrap_or_default());
        assert!(logs.starts_with(&format!("[… {left_out} bytes left out …]é")));
    }
    assert!(server.get("/job/adder/1.0.0/logs/plain?tail=0").await.body.len() <= 4 << 20);
}

#[tokio::test]
async fn a_listing_of_jobs_stays_short_whatever_the_target_says_of_them() {
    let mut setup = Setup::new(&["north"]);
    setup.settings.monitor_interval = Some(Span(Duration::from_millis(10)));
    let server = setup.start().await;
    let mut job = instance("north", "adder", "1.0.0", 1_700_000_000);
    job.status = JobStatus::Running;
    server.target("north").put(job.clone());
    let mut known = job.clone();
    known.manifest_yaml = Some(serde_yaml::to_string(&manifest("adder", "1.0.0")).expect("is YAML"));
    known.job_type_version = Some("gone:1.0.0".to_owned());
    server.app.store.save_job(&known, &["image".to_owned()]).await.expect("is saved");
    server.target("north").is_taken_over().await;
    job.status = JobStatus::Error;
    job.error = Some(long_text().to_owned());
    job.notice = Some(long_text().to_owned());
    job.infrastructure_stats.insert("x".to_owned(), long_text().into());
    job.replica_internal_names = vec![long_text().to_owned(), "10.0.0.7:80".to_owned()];
    server.target("north").list(vec![job]);
    let shown = server.until("/job/adder/1.0.0", |job| job["status"] == "error").await;
    assert!(shown["error"].as_str().is_some_and(is_cut), "{shown}");
    assert_eq!(shown["replica_internal_names"], json!(["10.0.0.7:80"]));
    assert!(server.get("/job").await.body.len() < 30_000);
    // What is cut is the same the next time, and makes no new row.
    let before = *server.app.store.changes().borrow();
    server.target("north").is_taken_over().await;
    assert_eq!(*server.app.store.changes().borrow(), before);
}

/// A database that never takes what a deployment failed of.
#[tokio::test]
async fn a_deployment_ends_although_the_database_refuses_its_reason() {
    let folder = Arc::new(tempfile::tempdir().expect("can be made"));
    let path = folder.path().join("lifecycle.sqlite");
    let mut setup = Setup::new(&["north"]);
    setup.settings.database_url = Some(DatabaseUrl::file(&path));
    setup.folder = Some(folder);
    let server = setup.start().await;
    let trigger = "CREATE TRIGGER refuse BEFORE UPDATE ON deployments WHEN instr(NEW.error, char(9760)) > 0 \
                   BEGIN SELECT RAISE(ABORT, 'no skulls'); END";
    let script = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(sys.argv[2])";
    let made = Command::new("python3").args(["-c", script]).arg(&path).arg(trigger).status();
    assert!(made.expect("python3 runs").success());
    server.target("north").switches.set("deploy_job", Fail("no power \u{2620}"));
    let record = server.failed(&adder("1.0.0")).await;
    let error = record["error"].as_str().unwrap_or_default();
    assert!(error.starts_with("the database takes this of the reason: creating job resource: "), "{error}");
    assert!(error.ends_with("failed: no power "), "{error}");
    server.target("north").switches.clear();
    server.deployed(&adder("1.0.0")).await;
}
