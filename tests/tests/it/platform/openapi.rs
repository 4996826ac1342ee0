//! Every answer is one that the `OpenAPI` document of the component has, whatever is asked.

use racetrack_tests::platform::{ADMINISTRATOR, COMPONENT_TOKEN};
use racetrack_tests::{Operations, Platform, Schemathesis, Trial, checkout};
use serde_json::json;

use super::distribution::{administrator, platform, tools};

/// Operations that are tried alone, in this order. After most of them the others would find nothing: no job, no administrator, no
/// good token, or maintenance. The three that deploy a job again take seconds each, and one of them fetches from its repository, so
/// they are tried when the job is gone.
const ALONE: [&str; 9] = [
    "server_put_maintenance",
    "jobs_delete",
    "jobs_redeploy",
    "jobs_reprovision",
    "jobs_move_job",
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

/// Runs a trial, which finds nothing.
#[track_caller]
fn try_out(schemathesis: &Schemathesis, trial: &Trial<'_>) {
    let finished = schemathesis.run(trial).succeeded();
    assert!(finished.stdout.contains("No issues found"), "{}", finished.stdout);
}

#[test]
fn whatever_lifecycle_is_asked_its_answer_is_documented() {
    let platform = platform("openapi");
    let client = administrator(&platform);
    let _ = client.run_silently(&["deploy", "samples/python-adder", "--build-context", "local"]).succeeded();
    let schemathesis = Schemathesis::new(tools());
    let document = format!("{}/openapi.json", platform.url());
    let folder = platform.path("");
    let run = |token: Option<&str>, operations, examples| {
        let trial = Trial { document: &document, url: None, token, operations, examples, folder: &folder };
        try_out(&schemathesis, &trial);
    };
    run(Some(&log_in(&platform)), Operations::AllBut(&ALONE), 8);
    run(None, Operations::AllBut(&[]), 1);
    for operation in ALONE {
        run(Some(&log_in(&platform)), Operations::One(operation), 8);
        // The one that was tried may have begun maintenance.
        let _ = platform.put("/maintenance", &json!({"maintenance_mode": false}));
        if operation == "jobs_delete" {
            let _ = client.run_silently(&["delete", "python-adder", "--version", "0.0.1"]);
        }
    }
    let log = platform.end().0;
    assert!(!log.contains("answered an internal error"), "{log}");
}

#[test]
fn whatever_image_builder_is_asked_its_answer_is_documented() {
    let platform = platform("openapi-image-builder");
    let schemathesis = Schemathesis::new(tools());
    // It is for lifecycle, and so it serves no document.
    let document = checkout().join("tests/fixtures/image-builder.openapi.yaml").display().to_string();
    let (url, folder) = (platform.image_builder_url(), platform.path(""));
    for (token, examples) in [(Some(COMPONENT_TOKEN), 20), (None, 2)] {
        let operations = Operations::AllBut(&[]);
        try_out(
            &schemathesis,
            &Trial { document: &document, url: Some(&url), token, operations, examples, folder: &folder },
        );
    }
    let log = platform.end().0;
    assert!(!log.contains("answered an internal error"), "{log}");
}
