//! Every answer of lifecycle is one that its `OpenAPI` document has, whatever is asked.

use racetrack_tests::platform::ADMINISTRATOR;
use racetrack_tests::{Operations, Platform, Schemathesis, Trial};
use serde_json::json;

use super::distribution::{administrator, platform, tools};

/// Operations after which the others would find nothing: no job, no administrator, no good token, or maintenance. Each is tried
/// alone, the last one when nothing else is needed any more.
const ALONE: [&str; 6] = [
    "server_put_maintenance",
    "jobs_delete",
    "auth_regenerate_own",
    "auth_regenerate_users",
    "users_change_password",
    "users_put",
];

/// A new token of the administrator.
fn log_in(platform: &Platform) -> String {
    let (username, password) = ADMINISTRATOR;
    let credentials = json!({"username": username, "password": password});
    let (status, answer) = platform.post("/users/login", &credentials);
    assert_eq!(status, 200, "{answer}");
    answer["token"].as_str().expect("a token").to_owned()
}

#[test]
fn whatever_is_asked_the_answer_is_documented() {
    let platform = platform("openapi");
    let client = administrator(&platform);
    let _ = client.run_silently(&["deploy", "samples/python-adder", "--build-context", "local"]).succeeded();
    let schemathesis = Schemathesis::new(tools());
    let document = format!("{}/openapi.json", platform.url());
    let folder = platform.path("");
    let run = |token: Option<&str>, operations, examples| {
        let trial = Trial { document: &document, token, operations, examples, folder: &folder };
        let finished = schemathesis.run(&trial).succeeded();
        assert!(finished.stdout.contains("No issues found"), "{}", finished.stdout);
    };
    run(Some(&log_in(&platform)), Operations::AllBut(&ALONE), 12);
    run(None, Operations::AllBut(&[]), 2);
    for operation in ALONE {
        run(Some(&log_in(&platform)), Operations::One(operation), 12);
        // The one that was tried may have begun maintenance.
        let _ = platform.put("/maintenance", &json!({"maintenance_mode": false}));
        if operation == "jobs_delete" {
            let _ = client.run_silently(&["delete", "python-adder", "--version", "0.0.1"]);
        }
    }
    let log = platform.end().0;
    assert!(!log.contains("answered an internal error"), "{log}");
}
