//! Deployments that fail, at each step.

use std::time::Duration;

use axum::http::Method;
use racetrack_core::JobSecrets;
use racetrack_service::settings::Span;
use racetrack_store::{Permission, Scope};
use serde_json::{Value, json};

use super::fake_image_builder::BuildAnswer;
use super::harness::{PATIENCE, SOON, Server, Setup, adder, forced, with};
use super::switches::Behaviour::{self, Fail, Hang, Panic};
use super::switches::Gate;

/// The steps that a target or a plugin can fail, and what the record says then, before the plugin's own words.
const STEPS: [(&str, &str); 4] = [
    (
        "save_job_secrets",
        "saving job secrets: `save_job_secrets` of infrastructure target `north` (plugin `offers` 1.0.0) failed: ",
    ),
    (
        "second job_runtime_env_vars",
        "creating job resource: environment of the job: hook `job_runtime_env_vars` of plugin `second` 1.0.0 failed: ",
    ),
    (
        "deploy_job",
        "creating job resource: `deploy_job` of infrastructure target `north` (plugin `offers` 1.0.0) failed: ",
    ),
    (
        "check_job_condition",
        "verifying deployed job: `check_job_condition` of infrastructure target `north` (plugin `offers` 1.0.0) failed: ",
    ),
];

fn break_step(server: &Server, step: &str, behaviour: Behaviour) {
    server.target("north").switches.set(step, behaviour.clone());
    server.world.switches.set(step, behaviour);
}

fn request_with_secret(secret: &str) -> Value {
    let mut request = adder("1.0.0");
    request["secret_vars"] = json!({ "runtime_env": { "PASSWORD": secret } });
    request
}

fn kept_secret(server: &Server) -> Option<String> {
    let secrets: Option<JobSecrets> = server.target("north").secrets("adder", "1.0.0");
    secrets.and_then(|secrets| secrets.secret_runtime_env.get("PASSWORD").cloned())
}

#[tokio::test]
async fn a_first_deployment_that_fails_leaves_nothing() {
    for (step, text) in STEPS {
        let server = Server::start().await;
        break_step(&server, step, Fail("no power"));
        let record = server.failed(&request_with_secret("new")).await;
        assert_eq!(record["error"], format!("{text}no power"));
        assert_eq!((&record["job"], &record["warnings"]), (&Value::Null, &Value::Null));
        assert_eq!(server.jobs().await, [""; 0], "{step}");
        let deleted = server.world.journal.take(&["north delete_job"]);
        assert_eq!(deleted, ["north delete_job adder 1.0.0"], "{step}");
        assert_eq!(server.target("north").instances(), [""; 0], "{step}");
        assert_eq!(kept_secret(&server), None, "{step}");

        let events = server.audit().await;
        let [event] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(event["event_type"], "deployment_failed");
        assert_eq!(event["properties"]["error"], record["error"]);
        assert_eq!(event["properties"]["deployment_id"], record["id"]);
        assert_eq!(event["username_executor"], "admin");
        assert_eq!([&event["job_name"], &event["job_version"]], ["adder", "1.0.0"]);

        server.target("north").switches.clear();
        server.world.switches.clear();
        server.deployed(&adder("1.0.0")).await;
    }
}

#[tokio::test]
async fn an_overwriting_deployment_that_fails_leaves_the_former_job_and_its_secrets() {
    for (step, text) in STEPS {
        let server = Server::start().await;
        server.deployed(&request_with_secret("former")).await;
        let (job, instances) = (server.job("1.0.0").await, server.target("north").instances());
        server.world.journal.take(&[]);
        break_step(&server, step, Fail("no power"));
        let record = server.failed(&forced(request_with_secret("new"))).await;
        assert_eq!(record["error"], format!("{text}no power"));
        assert_eq!(server.job("1.0.0").await, job, "{step}");
        assert_eq!(kept_secret(&server).as_deref(), Some("former"), "{step}");
        assert_eq!(server.world.journal.take(&["delete"]), [""; 0], "{step}");
        let serving = server.target("north").instances();
        assert_eq!(serving[0], instances[0], "{step}");
        assert_eq!(server.audit_types().await, ["job_deployed", "deployment_failed"]);
    }
}

#[tokio::test]
async fn a_target_that_panics_or_hangs_fails_the_deployment() {
    for (behaviour, words) in [
        (Panic("out of boxes"), "it panicked: out of boxes".to_owned()),
        (Hang, format!("it did not finish within {} s", SOON.as_secs())),
    ] {
        for (step, text) in STEPS {
            let mut setup = Setup::new(&["north"]);
            setup.hook_time_limit = Some(SOON);
            setup.settings.job_start_time_limit = Some(Span(SOON));
            let server = setup.start().await;
            break_step(&server, step, behaviour.clone());
            let record = server.failed(&adder("1.0.0")).await;
            assert_eq!(record["error"], format!("{text}{words}"));
            assert_eq!(server.jobs().await, [""; 0], "{step}");
            assert_eq!(server.target("north").instances(), [""; 0], "{step}");
        }
    }
}

#[tokio::test]
async fn a_rollback_that_fails_is_a_warning_and_the_reason_stays() {
    let server = Server::start().await;
    break_step(&server, "deploy_job", Fail("no power"));
    break_step(&server, "delete_job", Fail("no power\nat all"));
    let record = server.failed(&adder("1.0.0")).await;
    assert_eq!(record["error"], format!("{}no power", STEPS[2].1));
    assert_eq!(
        record["warnings"],
        "what was deployed is not taken away: `delete_job` of infrastructure target `north` (plugin `offers` 1.0.0) \
         failed: no power at all"
    );
    assert_eq!(server.jobs().await, [""; 0]);
}

#[tokio::test]
async fn a_first_job_that_answers_and_cannot_be_saved_is_taken_away() {
    let server = Server::start().await;
    let answers = server.target("north").switches.gate("check_job_condition");
    server.deploy(&adder("1.0.0")).await;
    assert_eq!(deleted_without_database(&server, "north", &answers).await, ["north delete_job adder 1.0.0"]);
}

#[tokio::test]
async fn a_moved_job_that_answers_and_cannot_be_saved_is_taken_away_where_it_should_go() {
    let server = Setup::new(&["north", "south"]).start().await;
    server.deployed(&with(adder("1.0.0"), "/manifest/infrastructure_target", "north")).await;
    let answers = server.target("south").switches.gate("check_job_condition");
    let other = server.clone();
    let body = json!({ "infrastructure_target": "south" });
    let moving = tokio::spawn(async move { other.post("/job/adder/1.0.0/move", &body).await });
    assert_eq!(deleted_without_database(&server, "south", &answers).await, ["south delete_job adder 1.0.0"]);
    assert_eq!(server.target("north").instances().len(), 1);
    // It would wait for the database.
    moving.abort();
}

/// Lets a job answer when the database is gone; what is asked of targets until this one is to delete the job.
async fn deleted_without_database(server: &Server, target: &str, answers: &Gate) -> Vec<String> {
    let deletes = server.target(target).switches.gate("delete_job");
    answers.reached().await;
    server.app.store.close().await;
    answers.open();
    tokio::time::timeout(PATIENCE, deletes.reached()).await.expect("the job is taken away");
    deletes.open();
    server.world.journal.take(&["delete_job"])
}

#[tokio::test]
async fn secrets_that_cannot_be_put_back_are_a_warning_and_the_reason_stays() {
    let server = Server::start().await;
    server.deployed(&adder("1.0.0")).await;
    let target = server.target("north");
    let gate = target.switches.gate("deploy_job");
    let id = server.deploy(&forced(adder("1.0.0"))).await;
    gate.reached().await;
    target.switches.set("save_job_secrets", Fail("the safe is shut"));
    target.switches.set("check_job_condition", Fail("no power"));
    gate.open();
    let record = server.ended(&id).await;
    assert_eq!(record["error"], format!("{}no power", STEPS[3].1));
    let warnings = record["warnings"].as_str().expect("is a text");
    assert!(
        warnings.starts_with("the former secrets are not put back: ")
            && warnings.ends_with("the safe is shut")
    );
}

#[tokio::test]
async fn a_build_that_fails_keeps_its_logs_and_touches_no_target() {
    let server = Server::start().await;
    let result = json!({ "image_names": ["half:1"], "logs": "step 1\nboom\n", "error": "exit code 1" });
    server.builder.answer(BuildAnswer::Result(json!({ "result": result })));
    let record = server.failed(&adder("1.0.0")).await;
    assert_eq!(record["error"], "building an image: exit code 1");
    assert_eq!((&record["phase"], &record["image_name"]), (&json!("building image"), &json!("half:1")));
    let id = record["id"].as_str().expect("is a text");
    let logs = server.app.store.build_logs(id).await.expect("are read");
    assert_eq!(logs.as_deref(), Some("step 1\nboom\n"));
    let path = "/job/adder/1.0.0/build-logs";
    assert_eq!(server.get(path).await.ok(), json!({ "logs": "step 1\nboom\n" }));
    assert_eq!(server.get(&format!("{path}/plain?tail=1")).await.text(), "boom\n");
    assert_eq!(server.world.journal.take(&["north deploy", "north delete", "secrets"]), [""; 0]);
    assert_eq!(server.jobs().await, [""; 0]);
    assert_eq!(server.audit_types().await, ["deployment_failed"]);
}

#[tokio::test]
async fn the_logs_of_a_version_that_never_came_up_are_for_those_who_may_read_it() {
    let server = Server::start().await;
    server.builder.answer(BuildAnswer::Refused(400, json!({ "error": "no such job type" })));
    server.failed(&adder("1.0.0")).await;
    let path = "/job/adder/1.0.0/build-logs";
    let reader = server.user("reader", &[Permission::for_family(Scope::ReadJob, "adder")]).await;
    let other = server.user("other", &[Permission::for_family(Scope::CallJob, "adder")]).await;
    let told = server.send(&reader, Method::GET, path, "").await.ok();
    assert_eq!(told, json!({ "logs": "image-builder refused: no such job type" }));
    assert_eq!(
        server.send(&other, Method::GET, path, "").await.error(401),
        "Unauthorized: User other has no permission with scope read_job for job adder 1.0.0"
    );
    for address in ["adder/latest", "adder/1.x", "adder/2.0.0", "primer/1.0.0"] {
        let error = server.get(&format!("/job/{address}/build-logs")).await.error(404);
        assert!(error.starts_with("No job named "), "{address}: {error}");
    }
}

#[tokio::test]
async fn the_logs_of_a_failed_overwriting_build_are_shown_with_the_former_job() {
    let server = Server::start().await;
    server.deployed(&adder("1.0.0")).await;
    let result = json!({ "image_names": [], "logs": "boom\n", "error": "exit code 1" });
    server.builder.answer(BuildAnswer::Result(json!({ "result": result })));
    server.failed(&forced(adder("1.0.0"))).await;
    assert_eq!(server.get("/job/adder/1.0.0/build-logs").await.ok()["logs"], "boom\n");
    assert_eq!(server.jobs().await, ["adder 1.0.0 running"]);
}

#[tokio::test]
async fn whatever_image_builder_does_wrong_is_told() {
    let server = Server::start().await;
    let result = |result: Value| BuildAnswer::Result(json!({ "result": result }));
    let refusal = json!({ "error": "no such job type", "type": "ValueError" });
    let cases = [
        (BuildAnswer::Refused(400, refusal), "image-builder refused: no such job type"),
        (
            BuildAnswer::Refused(502, json!("bad gateway")),
            "image-builder refused: 502 Bad Gateway: \"bad gateway\"",
        ),
        (BuildAnswer::Broken, "image-builder went away while it was building: "),
        (BuildAnswer::Ended, "image-builder went away while it was building, without a result"),
        (BuildAnswer::Result(json!({ "error": "out of disk" })), "out of disk"),
        (
            BuildAnswer::Result(json!({ "other": 1 })),
            "image-builder answered something that is not a result: ",
        ),
        (BuildAnswer::Result(json!("text")), "image-builder answered something that is not a result: "),
        (result(json!({ "image_names": [], "error": null })), "image-builder built nothing"),
        (result(json!({})), "image-builder built nothing"),
    ];
    for (answer, text) in cases {
        server.builder.answer(answer);
        let record = server.failed(&adder("1.0.0")).await;
        let error = record["error"].as_str().expect("is a text");
        let expected = format!("building an image: {text}");
        let fits = if text.ends_with(": ") { error.starts_with(&expected) } else { error == expected };
        assert!(fits, "{error:?} is not {expected:?}");
        assert_eq!(record["phase"], "building image");
    }
    assert_eq!(server.jobs().await, [""; 0]);
}

#[tokio::test]
async fn an_image_builder_that_is_away_or_unwell_fails_the_deployment_in_time() {
    let mut setup = Setup::new(&["north"]);
    setup.settings.image_builder_start_time_limit = Some(Span(Duration::from_millis(300)));
    let server = setup.start().await;
    server.builder.is_well(false);
    let error = server.failed(&adder("1.0.0")).await["error"].clone();
    let url = format!("http://{}", server.builder.address);
    assert_eq!(error, format!("building an image: image-builder at {url} did not answer in time"));

    let mut setup = Setup::new(&["north"]);
    setup.settings.image_builder_start_time_limit = Some(Span(Duration::from_millis(300)));
    setup.settings.image_builder_url =
        Some(format!("http://{}", nobody_listens().await).parse().expect("valid"));
    let server = setup.start().await;
    let record = server.failed(&adder("1.0.0")).await;
    let error = record["error"].as_str().expect("is a text");
    assert!(error.contains("does not answer"), "{error}");
    let id = record["id"].as_str().expect("is a text");
    let logs = server.app.store.build_logs(id).await.expect("are read").expect("are kept");
    assert!(logs.contains("does not answer"), "{logs}");
}

#[tokio::test]
async fn a_deployment_waits_for_an_image_builder_that_is_being_started() {
    let server = Server::start().await;
    server.builder.is_well(false);
    let id = server.deploy(&adder("1.0.0")).await;
    server.until(&format!("/deploy/{id}"), |record| record["phase"] == "building image").await;
    server.builder.is_well(true);
    assert_eq!(server.ended(&id).await["status"], "done");
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_end_a_deployment() {
    let server = Server::start().await;
    server.deployed(&adder("1.0.0")).await;
    let gate = server.target("north").switches.gate("deploy_job");
    let other = server.clone();
    let request = tokio::spawn(async move { other.post("/job/adder/1.0.0/reprovision", &Value::Null).await });
    gate.reached().await;
    request.abort();
    assert!(request.await.expect_err("was aborted").is_cancelled());
    gate.open();
    let latest = "/deploy?limit=1";
    server.until(latest, |records| records[0]["status"] == "done").await;
    assert_eq!(server.audit_types().await, ["job_deployed", "job_redeployed"]);
}

/// An address where nothing listens: the one of a listener that is gone.
async fn nobody_listens() -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("an address");
    listener.local_addr().expect("is bound")
}
