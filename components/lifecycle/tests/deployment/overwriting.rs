//! Who may deploy what over what, and where it goes.

use std::collections::BTreeSet;

use axum::http::Method;
use futures_util::future::join_all;
use racetrack_store::{Permission, Scope};
use serde_json::{Value, json};

use super::harness::{Server, Setup, adder, forced, manifest, with};

const DEPLOYED: &str = "job adder v1.0.0 is already deployed. Try deploying next version or use --force flag";
const DELETED: &str = "Job adder v1.0.0 has already been deployed and deleted. Can't claim it again to prevent \
                       accidental/hostile reusing.";

#[tokio::test]
async fn a_version_that_is_there_or_was_is_deployed_over_only_by_force() {
    let server = Server::start().await;
    server.deployed(&adder("1.0.0")).await;
    let attempt = async || server.post("/deploy", &adder("1.0.0")).await.error(409);
    assert_eq!(attempt().await, DEPLOYED);
    server.deployed(&forced(adder("1.0.0"))).await;
    server.delete("/job/adder/1.0.0").await.ok();
    assert_eq!(attempt().await, DELETED);
    assert_eq!(server.deployment_count().await, 2, "a refusal leaves no record");
    server.deployed(&forced(adder("1.0.0"))).await;
    server.deployed(&adder("1.0.1")).await;
}

#[tokio::test]
async fn a_version_that_never_came_up_is_free() {
    let server = Server::start().await;
    server.target("north").switches.set("deploy_job", super::switches::Behaviour::Fail("no"));
    server.failed(&adder("1.0.0")).await;
    server.target("north").switches.clear();
    server.deployed(&adder("1.0.0")).await;
}

#[tokio::test]
async fn overwriting_can_be_allowed_to_all() {
    let mut setup = Setup::new(&["north"]);
    setup.settings.allow_job_overwrite = Some(true);
    let server = setup.start().await;
    server.deployed(&adder("1.0.0")).await;
    server.deployed(&adder("1.0.0")).await;
    server.delete("/job/adder/1.0.0").await.ok();
    server.deployed(&with(adder("1.0.0"), "/force", false)).await;
}

#[tokio::test]
async fn of_concurrent_deployments_of_a_version_one_wins() {
    let server = Server::start().await;
    let gate = server.builder.gate();
    let request = adder("1.0.0");
    let answers = join_all((0..20).map(|_| server.post("/deploy", &request))).await;
    gate.reached().await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((won.len(), lost.len()), (1, 19));
    let texts: BTreeSet<_> = lost.iter().map(|answer| answer.error(409)).collect();
    assert_eq!(texts, BTreeSet::from(["There's already ongoing deployment of job adder 1.0.0".to_owned()]));
    assert_eq!(server.deployment_count().await, 1);
    gate.open();
    server.ended(won[0].ok()["id"].as_str().expect("is a text")).await;
    assert_eq!(server.builder.orders().len(), 1);
}

#[tokio::test]
async fn versions_and_jobs_are_deployed_side_by_side() {
    let server = Server::start().await;
    let gate = server.builder.gate();
    let requests = [adder("1.0.0"), adder("2.0.0"), json!({ "manifest": manifest("primer", "1.0.0") })];
    let ids = join_all(requests.iter().map(|request| server.deploy(request))).await;
    for _ in &ids {
        gate.reached().await;
    }
    for _ in &ids {
        gate.open();
    }
    for id in ids {
        assert_eq!(server.ended(&id).await["status"], "done");
    }
    assert_eq!(server.jobs().await, ["adder 1.0.0 running", "adder 2.0.0 running", "primer 1.0.0 running"]);
}

#[tokio::test]
async fn nothing_else_is_done_to_a_job_that_is_being_deployed() {
    let server = Setup::new(&["north", "south"]).start().await;
    let request = with(adder("1.0.0"), "/manifest/infrastructure_target", "north");
    server.deployed(&request).await;
    let gate = server.builder.gate();
    let id = server.deploy(&forced(request.clone())).await;
    gate.reached().await;
    assert_eq!(
        server.delete("/job/adder/1.0.0").await.error(409),
        "job adder v1.0.0 is being deployed; it can be deleted when that is over"
    );
    let ongoing = "There's already ongoing deployment of job adder 1.0.0";
    for (path, body) in [
        ("/deploy", forced(request)),
        ("/job/adder/1.0.0/redeploy", Value::Null),
        ("/job/adder/latest/reprovision", Value::Null),
        ("/job/adder/1.x/move", json!({ "infrastructure_target": "south" })),
    ] {
        assert_eq!(server.post(path, &body).await.error(409), ongoing, "{path}");
    }
    gate.open();
    assert_eq!(server.ended(&id).await["status"], "done");
    server.delete("/job/adder/1.0.0").await.ok();
}

#[tokio::test]
async fn nothing_else_is_done_to_a_job_that_is_being_deleted() {
    let server = Setup::new(&["north"]).start().await;
    server.deployed(&adder("1.0.0")).await;
    let gate = server.target("north").switches.gate("delete_job");
    let deleted = async { server.delete("/job/adder/1.0.0").await.ok() };
    let meanwhile = async {
        gate.reached().await;
        let again = server.delete("/job/adder/1.0.0").await.error(409);
        assert_eq!(again, "job adder v1.0.0 is being deleted already");
        let deployed = server.post("/deploy", &forced(adder("1.0.0"))).await.error(409);
        assert_eq!(deployed, "job adder v1.0.0 is being deleted");
        gate.open();
    };
    futures_util::join!(deleted, meanwhile);
    assert_eq!(server.jobs().await, [""; 0]);
    server.deployed(&forced(adder("1.0.0"))).await;
}

#[tokio::test]
async fn a_deletion_goes_on_when_whoever_asked_goes_away() {
    let server = Setup::new(&["north"]).start().await;
    server.deployed(&adder("1.0.0")).await;
    let gate = server.target("north").switches.gate("delete_job");
    let asked = server.delete("/job/adder/1.0.0");
    tokio::select! {
        _ = asked => panic!("it waits at the gate"),
        () = gate.reached() => {}
    }
    gate.open();
    server.until("/job", |jobs| *jobs == json!([])).await;
}

#[tokio::test]
async fn a_new_family_and_another_version_ask_for_different_permissions() {
    let server = Server::start().await;
    let new_family = server.user("founder", &[Permission::everywhere(Scope::DeployNewFamily)]).await;
    let old_ones = server.user("worker", &[Permission::everywhere(Scope::DeployJob)]).await;
    let attempt = async |token: &str, request: &Value| {
        server.send(token, Method::POST, "/deploy", request.to_string()).await
    };
    assert_eq!(
        attempt(&old_ones, &adder("1.0.0")).await.error(401),
        "Unauthorized: User worker has no permission with scope deploy_new_family for a new job family adder"
    );
    let id = attempt(&new_family, &adder("1.0.0")).await.ok()["id"].clone();
    server.ended(id.as_str().expect("is a text")).await;
    assert_eq!(
        attempt(&new_family, &adder("2.0.0")).await.error(401),
        "Unauthorized: User founder has no permission with scope deploy_job for job adder 2.0.0"
    );
    let one_family = server.user("keeper", &[Permission::for_family(Scope::DeployJob, "adder")]).await;
    let id = attempt(&one_family, &adder("2.0.0")).await.ok()["id"].clone();
    server.ended(id.as_str().expect("is a text")).await;
    assert_eq!(server.deployment_count().await, 2, "a refusal leaves no record");
}

#[tokio::test]
async fn nothing_is_deployed_during_maintenance() {
    let server = Setup::new(&["north", "south"]).start().await;
    let request = with(adder("1.0.0"), "/manifest/infrastructure_target", "north");
    server.deployed(&request).await;
    server.put("/maintenance", &json!({ "maintenance_mode": true })).await.ok();
    let text = "Racetrack is currently in maintenance mode. Please try again later.";
    for (method, path, body) in [
        (Method::POST, "/deploy", forced(request.clone())),
        (Method::POST, "/job/adder/1.0.0/redeploy", Value::Null),
        (Method::POST, "/job/adder/1.0.0/reprovision", Value::Null),
        (Method::POST, "/job/adder/1.0.0/move", json!({ "infrastructure_target": "south" })),
        (Method::POST, "/job/all/reconcile", Value::Null),
        (Method::PUT, "/job/adder/1.0.0/manifest", json!({ "manifest_yaml": "" })),
        (Method::DELETE, "/job/adder/1.0.0", Value::Null),
    ] {
        let answer = server.send(&server.admin, method, path, body.to_string()).await;
        assert_eq!(answer.error(503), text, "{path}");
    }
    assert_eq!(server.jobs().await, ["adder 1.0.0 running"]);
    server.put("/maintenance", &json!({ "maintenance_mode": false })).await.ok();
    server.deployed(&forced(request)).await;
}

#[tokio::test]
async fn a_job_goes_where_its_manifest_or_the_settings_say_or_to_the_only_target() {
    const NONE: &[&str] = &[];
    let both: &[&str] = &["north", "south"];
    let cases = [
        (NONE, None, None, Err("No infrastructure targets available. Install appropriate plugin.")),
        (&["north"][..], None, None, Ok("north")),
        (&["north"], Some("north"), None, Ok("north")),
        (&["north"], None, Some("west"), Ok("north")),
        (
            both,
            None,
            None,
            Err("Multiple infrastructure targets available: [north, south]. Please pick one."),
        ),
        (both, Some("south"), None, Ok("south")),
        (both, Some("south"), Some("north"), Ok("south")),
        (both, None, Some("south"), Ok("south")),
        (
            both,
            Some("west"),
            Some("north"),
            Err("Selected infrastructure target \"west\" is unavailable. Available are north, south."),
        ),
        (
            both,
            None,
            Some("west"),
            Err("Selected infrastructure target \"west\" is unavailable. Available are north, south."),
        ),
    ];
    for (targets, wanted, default, expected) in cases {
        let targets: Vec<&'static str> = targets.to_vec();
        let mut setup = Setup::new(&targets);
        setup.settings.infrastructure_target = default.map(str::to_owned);
        let server = setup.start().await;
        let request = with(adder("1.0.0"), "/manifest/infrastructure_target", wanted);
        match expected {
            Ok(target) => assert_eq!(server.deployed(&request).await["infrastructure_target"], target),
            Err(text) => {
                assert_eq!(server.post("/deploy", &request).await.error(400), text);
                assert_eq!(server.deployment_count().await, 0);
            }
        }
    }
}
