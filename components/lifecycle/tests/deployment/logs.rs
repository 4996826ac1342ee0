//! What jobs and builds wrote, however odd.

use serde_json::json;

use super::fake_image_builder::BuildAnswer;
use super::harness::{Server, adder};
use super::switches::Behaviour::Fail;

/// Colours, another terminal sequence, control characters, what was no UTF-8, and line ends of other systems.
const ODD: &str =
    "\u{1b}[1;31mred\u{1b}[0m \u{1b}[2Jcleared\u{0}\u{7}\u{8}\r\nnot \u{fffd} UTF-8\t\u{202e}\n\u{1b}[";

#[tokio::test]
async fn the_log_of_a_job_is_told_as_it_is_and_plain_without_colours() {
    let server = Server::start().await;
    server.deployed(&adder("1.0.0")).await;
    server.target("north").log(ODD);
    assert_eq!(server.get("/job/adder/1.0.0/logs").await.ok(), json!({ "logs": ODD }));
    let plain = server.get("/job/adder/1.0.0/logs/plain").await;
    assert_eq!(
        (plain.status, &plain.headers["content-type"]),
        (200, &"text/plain; charset=utf-8".parse().expect("valid"))
    );
    assert_eq!(plain.text(), ODD.replace("\u{1b}[1;31m", "").replace("\u{1b}[0m", ""));
}

#[tokio::test]
async fn a_target_is_asked_for_as_many_lines_as_are_wanted() {
    let server = Server::start().await;
    server.deployed(&adder("1.0.0")).await;
    for query in ["", "?tail=5", "?tail=0", "?other=1"] {
        server.get(&format!("/job/adder/latest/logs{query}")).await.ok();
    }
    let asked = server.world.journal.take(&["read_recent_logs"]);
    assert_eq!(asked, [20, 5, 0, 20].map(|lines| format!("north read_recent_logs adder {lines}")));
}

#[tokio::test]
async fn ten_thousand_lines_are_told() {
    let server = Server::start().await;
    let lines: String =
        (0..10_000).flat_map(|number| ["line ".to_owned(), number.to_string(), "\n".to_owned()]).collect();
    let result = json!({ "result": { "image_names": ["image"], "logs": lines } });
    server.builder.answer(BuildAnswer::Result(result));
    server.deployed(&adder("1.0.0")).await;
    server.target("north").log(&lines);
    for log in ["logs", "build-logs"] {
        let path = format!("/job/adder/1.0.0/{log}");
        assert_eq!(server.get(&format!("{path}?tail=0")).await.ok()["logs"], lines, "{log}");
        assert_eq!(server.get(&format!("{path}/plain?tail=0")).await.text(), lines, "{log}");
    }
    let last = server.get("/job/adder/1.0.0/build-logs?tail=2").await.ok();
    assert_eq!(last, json!({ "logs": "line 9998\nline 9999\n" }));
}

#[tokio::test]
async fn the_log_of_a_build_keeps_whatever_was_written() {
    let server = Server::start().await;
    server
        .builder
        .answer(BuildAnswer::Result(json!({ "result": { "image_names": ["image"], "logs": ODD } })));
    server.deployed(&adder("1.0.0")).await;
    // PostgreSQL has no NUL in texts.
    let kept = ODD.replace('\u{0}', "\u{fffd}");
    assert_eq!(server.get("/job/adder/1.0.0/build-logs").await.ok(), json!({ "logs": kept }));
    let plain = server.get("/job/adder/1.0.0/build-logs/plain").await;
    assert_eq!(plain.text(), kept.replace("\u{1b}[1;31m", "").replace("\u{1b}[0m", ""));
}

#[tokio::test]
async fn a_log_that_cannot_be_read_says_why() {
    let server = Server::start().await;
    server.deployed(&adder("1.0.0")).await;
    server.target("north").switches.set("read_recent_logs", Fail("the disk is gone"));
    for log in ["logs", "logs/plain"] {
        let error = server.get(&format!("/job/adder/1.0.0/{log}")).await.error(500);
        assert!(
            error.starts_with("reading logs of the job: ") && error.ends_with("the disk is gone"),
            "{error}"
        );
    }
    for log in ["logs", "build-logs/plain"] {
        assert_eq!(server.get(&format!("/job/primer/latest/{log}")).await.error(404), "No job named primer");
    }
}

#[tokio::test]
async fn a_failure_with_odd_texts_is_told_whole() {
    let server = Server::start().await;
    server
        .target("north")
        .switches
        .set("check_job_condition", Fail("it died:\n\u{1b}[31mTraceback\u{1b}[0m\n\u{7}"));
    let record = server.failed(&adder("1.0.0")).await;
    let error = record["error"].as_str().expect("is a text");
    assert!(error.ends_with("it died:\n\u{1b}[31mTraceback\u{1b}[0m\n\u{7}"), "{error:?}");
}
