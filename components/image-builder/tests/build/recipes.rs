//! Job types whose recipes do not do what they should.

use std::time::Duration;

use racetrack_service::settings::Span;
use serde_json::json;

use crate::harness::{ImageBuilderUnderTest, request};

#[tokio::test]
async fn failures_are_told_with_the_log() {
    let builder = ImageBuilderUnderTest::start().await;
    for (job_type, text) in [
        ("fails:1.0.0", "job type `fails:1.0.0`: its recipe failed: no compiler in sight"),
        ("panics:1.0.0", "job type `panics:1.0.0`: its recipe failed: it panicked: the recipe slipped"),
        (
            "makes-nothing:1.0.0",
            "job type `makes-nothing:1.0.0` made a bundle that cannot be started: its command is empty",
        ),
    ] {
        let (error, log) = builder.failed(&request(job_type)).await;
        assert_eq!(error, format!("building image (1/1): {text}"));
        assert!(log.contains("the recipe runs\n") && log.ends_with(&format!("error: {error}\n")), "{log}");
        assert!(!log.contains("==> finalizing"), "{log}");
    }
    let (bundle, _) = builder.built(&request("writes:1.0.0")).await;
    assert!(bundle.exists(), "image-builder goes on");
}

#[tokio::test]
async fn a_recipe_that_takes_too_long_is_ended() {
    let short = Some(Span(Duration::from_millis(200)));
    let mut builder = ImageBuilderUnderTest::with(|settings| settings.build_time_limit = short).await;
    let (error, _) = builder.failed(&request("hangs:1.0.0")).await;
    assert!(error.ends_with("its recipe failed: it did not finish within 200 ms"), "{error}");
    assert_eq!(builder.events.recv().await, Some("started"));
    assert_eq!(builder.events.recv().await, Some("ended"));
}

#[tokio::test]
async fn a_recipe_that_blocks_its_thread_is_given_up() {
    let short = Some(Span(Duration::from_millis(200)));
    let mut builder = ImageBuilderUnderTest::with(|settings| settings.build_time_limit = short).await;
    let (status, result) = builder.build(&request("blocks:1.0.0")).await;
    assert_eq!(status, 200);
    let error = result["error"].as_str().expect("has failed");
    assert!(error.ends_with("it blocked its thread for more than 200 ms, and was given up"), "{error}");
    assert_eq!(builder.events.recv().await, Some("started"));
    assert!(builder.events.try_recv().is_err(), "the recipe still runs");
    assert_eq!(builder.events.recv().await, Some("ended"));
}

#[tokio::test]
async fn a_job_type_without_a_recipe_needs_another_engine() {
    let builder = ImageBuilderUnderTest::start().await;
    let (error, _) = builder.failed(&request("images:1.0.0")).await;
    assert!(error.contains("the `bundle` engine cannot build job type `images:1.0.0`"), "{error}");
    assert!(error.contains("JobType::with_recipe"), "{error}");
}

#[tokio::test]
async fn recipes_hear_of_builds_that_use_no_cache() {
    let builder = ImageBuilderUnderTest::start().await;
    let (_, log) = builder.built(&request("writes:1.0.0")).await;
    assert!(!log.contains("and leaves the cache alone"), "{log}");
    let mut request = request("writes:1.0.0");
    request["build_flags"] = json!(["--no-cache"]);
    let (_, log) = builder.built(&request).await;
    assert!(log.contains("and leaves the cache alone"), "{log}");
}

#[tokio::test]
async fn secrets_are_taken_out_of_logs_and_errors() {
    let builder = ImageBuilderUnderTest::start().await;
    let mut request = request("leaks:1.0.0");
    request["secret_build_env"] = json!({"TOKEN": "hunter2", "KEY": "first line\nsecond line"});
    let (error, log) = builder.failed(&request).await;
    for secret in ["hunter2", "first line", "second line"] {
        assert!(!error.contains(secret) && !log.contains(secret), "{error}\n{log}");
    }
    assert!(log.contains("the token is [redacted]"), "{log}");
}

#[tokio::test]
async fn the_job_type_and_its_plugin_have_a_say() {
    let builder = ImageBuilderUnderTest::start().await;
    let (error, _) = builder.failed(&request("writes:9.*")).await;
    assert!(
        error.starts_with(
            "preparing job type builder: language pattern \"writes:9.*\" doesn't match any of the supported versions: ["
        ),
        "{error}"
    );
    let mut refused = request("writes:1.0.0");
    refused["manifest"]["jobtype_extra"] = json!({"color": "red"});
    let (error, _) = builder.failed(&refused).await;
    assert_eq!(
        error,
        "preparing job type builder: invalid manifest according to job type rules: hook `validate_job_manifest` of \
         plugin `recipes` 1.0.0 failed: writes:1.0.0 takes no jobtype_extra"
    );
    let mut refused = request("writes:1.0.0");
    refused["manifest"]["image_type"] = json!("oci");
    let (error, _) = builder.failed(&refused).await;
    assert_eq!(error, "preparing job type builder: not supported image_type: oci");
}
