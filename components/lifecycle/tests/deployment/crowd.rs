//! Many callers that all want something of the same few versions at once.

use axum::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::harness::{Server, adder, forced};

/// How many callers there are, and how much each of them wants.
const CALLERS: u64 = 50;
const OPERATIONS: u64 = 24;

/// So few that most callers meet others.
const VERSIONS: [&str; 12] = [
    "1.0.0", "2.0.0", "3.0.0", "4.0.0", "5.0.0", "6.0.0", "7.0.0", "8.0.0", "9.0.0", "10.0.0", "11.0.0",
    "12.0.0",
];

/// Numbers that look random, by a linear congruence with the constants of Knuth's MMIX.
struct Choices(u64);

impl Choices {
    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        &choices[usize::try_from(self.0 >> 33).expect("is small") % choices.len()]
    }
}

/// No caller is answered with 500, no claim stays, and in the end there is one instance of each job that is listed.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_leaves_everything_as_somebody_wanted_it() {
    let server = Server::start().await;
    let callers = (0..CALLERS).map(|caller| {
        let server = server.clone();
        tokio::spawn(async move {
            let mut choices = Choices(caller + 1);
            let mut answers = Vec::new();
            for _ in 0..OPERATIONS {
                let version = *choices.of(&VERSIONS);
                let operation =
                    *choices.of(&["deploy", "force", "reprovision", "delete", "read", "call", "list"]);
                let job = format!("/job/adder/{version}");
                let none = String::new();
                let (method, path, body) = match operation {
                    "deploy" => (Method::POST, "/deploy".to_owned(), adder(version).to_string()),
                    "force" => (Method::POST, "/deploy".to_owned(), forced(adder(version)).to_string()),
                    "reprovision" => (Method::POST, format!("{job}/reprovision"), none),
                    "delete" => (Method::DELETE, job, none),
                    "read" => (Method::GET, job, none),
                    "call" => (Method::GET, format!("/auth/can-call-job/adder/{version}/perform"), none),
                    _ => (Method::GET, "/deploy".to_owned(), none),
                };
                let answer = server.send(&server.admin, method, &path, body).await;
                answers.push((operation, answer.status));
                if answer.status == 200 && ["deploy", "force"].contains(&operation) {
                    let id = answer.json()["id"].as_str().expect("is a text").to_owned();
                    server.ended(&id).await;
                }
            }
            answers
        })
    });
    let answers: Vec<_> =
        join_all(callers).await.into_iter().flat_map(|answers| answers.expect("no panic")).collect();
    assert_eq!(answers.len() as u64, CALLERS * OPERATIONS);
    for (operation, status) in &answers {
        assert!([200, 400, 404, 409].contains(status), "{operation}: {status}");
    }
    for operation in ["force", "reprovision", "delete"] {
        assert!(answers.contains(&(operation, 200)), "{operation} succeeds at least once");
    }
    server
        .until("/deploy", |list| {
            list.as_array().expect("is a list").iter().all(|record| record["status"] != "in_progress")
        })
        .await;
    let jobs = server.jobs().await;
    let instances = server.target("north").instances();
    assert_eq!(jobs.len(), instances.len(), "{jobs:?} {instances:?}");
    for version in VERSIONS {
        let id = server.deploy(&forced(adder(version))).await;
        let record = server.ended(&id).await;
        assert_eq!(record["status"], json!("done"), "no claim of {version} has stayed: {record}");
        assert_eq!(server.delete(&format!("/job/adder/{version}")).await.ok(), Value::Null);
    }
    assert_eq!(server.target("north").instances(), [""; 0]);
}
