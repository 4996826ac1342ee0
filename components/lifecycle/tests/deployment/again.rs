//! Jobs that are deployed again, moved, deleted, or given another manifest.

use racetrack_store::{Permission, Subject};
use serde_json::{Value, json};

use super::harness::{EMPTY_CONTEXT, Server, Setup, adder, with};
use super::switches::Behaviour::Fail;

/// A lifecycle with two targets, and a job with a secret on `north`.
async fn server_with_job() -> Server {
    let server = Setup::new(&["north", "south"]).start().await;
    let mut request = with(adder("1.0.0"), "/manifest/infrastructure_target", "north");
    request["manifest"]["secret_runtime_env_file"] = json!(".env");
    request["build_context"] = json!(EMPTY_CONTEXT);
    request["secret_vars"] = json!({ "build_env": { "B": "b" }, "runtime_env": { "R": "r" } });
    request["git_credentials"] = json!({ "username": "bob", "password": "of-git" });
    server.deployed(&request).await;
    server.world.journal.take(&[]);
    server
}

async fn permissions(server: &Server) -> Vec<Permission> {
    let access = server.app.store.access().await.expect("is known");
    access.permissions_of(&Subject::user("admin")).to_vec()
}

fn to(target: &str) -> Value {
    json!({ "infrastructure_target": target })
}

#[tokio::test]
async fn redeploying_builds_anew_from_git_with_the_secrets_that_are_kept() {
    let server = server_with_job().await;
    let before = server.job("1.0.0").await;
    let permissions_before = permissions(&server).await;
    assert_eq!(server.post("/job/adder/latest/redeploy", &Value::Null).await.ok(), Value::Null);
    let orders = server.builder.orders();
    let [_, order] = orders.as_slice() else { panic!("{orders:?}") };
    assert_eq!(order.body["build_context"], Value::Null);
    assert_eq!(order.body["git_credentials"]["password"], "of-git");
    assert_eq!(order.body["secret_build_env"], json!({ "B": "b" }));
    let given = server.target("north").last_request();
    assert_eq!(given.secret_variables["R"], "r");

    let after = server.job("1.0.0").await;
    assert_eq!((&after["id"], &after["create_time"]), (&before["id"], &before["create_time"]));
    assert!(after["update_time"].as_i64() > before["update_time"].as_i64(), "instances can be told apart");
    assert_eq!(after["image_tag"], given.tag);
    assert_eq!(permissions(&server).await, permissions_before);
    assert_eq!(server.audit_types().await, ["job_deployed", "job_redeployed"]);
    assert_eq!(server.world.journal.take(&["third post_job"]).len(), 1);
}

#[tokio::test]
async fn reprovisioning_builds_nothing() {
    let server = server_with_job().await;
    let images = server.target("north").last_request().image_names;
    let before = server.job("1.0.0").await;
    assert_eq!(server.post("/job/adder/1.0.0/reprovision", &Value::Null).await.ok(), Value::Null);
    assert_eq!(server.builder.orders().len(), 1);
    let given = server.target("north").last_request();
    assert_eq!((&given.image_names, given.secret_variables["R"].as_str()), (&images, "r"));
    assert_eq!(server.get("/deploy?limit=1").await.ok()[0]["image_name"], images[0]);
    let after = server.job("1.0.0").await;
    for key in ["image_tag", "manifest_yaml", "job_type_version", "create_time"] {
        assert_eq!(after[key], before[key], "{key}");
    }
}

#[tokio::test]
async fn a_redeployment_that_fails_leaves_the_job_as_it_was_and_says_why() {
    let server = server_with_job().await;
    let (before, instances) = (server.job("1.0.0").await, server.target("north").instances());
    for step in ["get_job_secrets", "check_job_condition"] {
        server.target("north").switches.set(step, Fail("no power"));
        for how in ["redeploy", "reprovision"] {
            let error = server.post(&format!("/job/adder/1.0.0/{how}"), &Value::Null).await.error(500);
            let record = &server.get("/deploy?limit=1").await.ok()[0];
            assert_eq!((&record["status"], &record["error"]), (&json!("failed"), &json!(error)));
            assert!(error.contains(step) && error.ends_with("no power"), "{error}");
            assert_eq!(server.job("1.0.0").await, before);
            assert_eq!(server.target("north").instances(), instances);
        }
        server.target("north").switches.clear();
    }
    assert_eq!(server.world.journal.take(&["delete"]), [""; 0]);
}

#[tokio::test]
async fn a_job_is_moved_when_it_answers_on_its_new_target() {
    let server = server_with_job().await;
    let endpoint = json!({ "endpoint": "/docs", "active": true });
    assert_eq!(
        server.put("/job/adder/1.0.0/public-endpoints", &endpoint).await.error(404),
        "job adder 1.0.0 has no public endpoint /docs"
    );
    let (before, permissions_before) = (server.job("1.0.0").await, permissions(&server).await);
    let gate = server.target("south").switches.gate("check_job_condition");
    let moving = server.clone();
    let moving = tokio::spawn(async move { moving.post("/job/adder/1.0.0/move", &to("south")).await.ok() });
    gate.reached().await;
    assert_eq!(server.job("1.0.0").await["infrastructure_target"], "north", "it serves where it was");
    assert_eq!(server.target("north").instances().len(), 1);
    gate.open();
    assert_eq!(moving.await.expect("ends"), Value::Null);

    let after = server.job("1.0.0").await;
    assert_eq!((&after["infrastructure_target"], &after["status"]), (&json!("south"), &json!("running")));
    assert_eq!((&after["id"], &after["create_time"]), (&before["id"], &before["create_time"]));
    assert_eq!(server.target("north").instances(), [""; 0]);
    assert_eq!(server.target("south").instances().len(), 1);
    assert_eq!(server.target("north").secrets("adder", "1.0.0"), None);
    let kept = server.target("south").secrets("adder", "1.0.0").expect("went along");
    assert_eq!(kept.secret_runtime_env["R"], "r");
    assert_eq!(permissions(&server).await, permissions_before);

    let told =
        server.world.journal.take(&["deploy_job", "delete_job", "first post_job", "check_job_condition"]);
    let told: Vec<_> = told.iter().map(|line| line.split(" from ").next().unwrap_or_default()).collect();
    let expected = [
        "south deploy_job adder 1.0.0",
        "south check_job_condition adder",
        "north delete_job adder 1.0.0",
        "first post_job_delete adder 1.0.0 on north by admin",
        "first post_job_deploy adder 1.0.0 on south",
    ];
    assert_eq!(told, expected);
    let events = server.audit().await;
    assert_eq!(events[1]["event_type"], "job_moved");
    assert_eq!(events[1]["properties"], json!({ "from": "north", "to": "south" }));
    assert_eq!(events.len(), 2);
}

#[tokio::test]
async fn a_move_that_fails_leaves_everything() {
    let server = server_with_job().await;
    let before = server.job("1.0.0").await;
    let permissions_before = permissions(&server).await;
    for step in ["save_job_secrets", "deploy_job", "check_job_condition"] {
        server.target("south").switches.set(step, Fail("no power"));
        let error = server.post("/job/adder/1.0.0/move", &to("south")).await.error(500);
        assert!(error.contains(step) && error.ends_with("no power"), "{error}");
        assert_eq!(server.job("1.0.0").await, before, "{step}");
        assert_eq!(server.target("north").instances().len(), 1);
        assert!(server.target("north").secrets("adder", "1.0.0").is_some());
        assert_eq!(server.target("south").instances(), [""; 0], "{step}");
        assert_eq!(server.target("south").secrets("adder", "1.0.0"), None, "{step}");
        let told = server.world.journal.take(&["delete", "post_job"]);
        assert_eq!(told, ["south delete_job adder 1.0.0"], "{step}");
        server.target("south").switches.clear();
    }
    assert_eq!(permissions(&server).await, permissions_before);
    server.post("/job/adder/1.0.0/move", &to("south")).await.ok();
}

#[tokio::test]
async fn a_former_target_that_keeps_the_job_is_a_warning_of_the_move() {
    let server = server_with_job().await;
    server.target("north").switches.set("delete_job", Fail("it clings"));
    server.post("/job/adder/1.0.0/move", &to("south")).await.ok();
    let record = &server.get("/deploy?limit=1").await.ok()[0];
    assert_eq!(record["status"], "done");
    assert_eq!(
        record["warnings"],
        "deleting job from a former infrastructure: `delete_job` of infrastructure target `north` (plugin `offers` \
         1.0.0) failed: it clings"
    );
    assert_eq!(server.job("1.0.0").await["infrastructure_target"], "south");
}

#[tokio::test]
async fn a_job_is_moved_by_a_forced_deployment_that_names_another_target() {
    let server = server_with_job().await;
    let request = with(adder("1.0.0"), "/manifest/infrastructure_target", "south");
    server.deployed(&super::harness::forced(request)).await;
    assert_eq!(server.job("1.0.0").await["infrastructure_target"], "south");
    assert_eq!(server.target("north").instances(), [""; 0]);
    assert_eq!(server.audit_types().await, ["job_deployed", "job_moved"]);
}

#[tokio::test]
async fn a_move_to_the_same_or_an_unknown_target_is_refused() {
    let server = server_with_job().await;
    let attempt = async |target: &str| server.post("/job/adder/1.0.0/move", &to(target)).await.error(400);
    assert_eq!(attempt("north").await, "new infrastructure target has to be different from the current one");
    let unknown = "Selected infrastructure target \"west\" is unavailable. Available are north, south.";
    assert_eq!(attempt("west").await, unknown);
    assert_eq!(server.post("/job/adder/3.x/move", &to("south")).await.status, 404);
    assert_eq!(server.deployment_count().await, 1);
}

#[tokio::test]
async fn only_an_exact_version_is_deleted() {
    let server = Server::start().await;
    server.deployed(&adder("1.0.0")).await;
    server.deployed(&adder("1.1.0")).await;
    for alias in ["latest", "1.x"] {
        let error = server.delete(&format!("/job/adder/{alias}")).await.error(400);
        assert_eq!(
            error,
            format!("\"{alias}\" is no exact version; only an exact version is deleted, such as 1.1.0")
        );
    }
    assert_eq!(server.delete("/job/adder/9.9.9").await.error(404), "No job named adder with version 9.9.9");
    assert_eq!(server.delete("/job/adder/1.1.0").await.ok(), Value::Null);
    assert_eq!(server.jobs().await, ["adder 1.0.0 running"]);
    assert_eq!(server.delete("/job/adder/1.1.0").await.status, 404);
    assert_eq!(server.job("latest").await["version"], "1.0.0");
}

#[tokio::test]
async fn another_manifest_is_used_when_the_job_is_deployed_again() {
    let server = server_with_job().await;
    let yaml = server.job("1.0.0").await["manifest_yaml"].as_str().expect("is a text").to_owned();
    let changed = format!("# by hand\n{yaml}replicas: 3\n");
    let put =
        async |yaml: &str| server.put("/job/adder/1.0.0/manifest", &json!({ "manifest_yaml": yaml })).await;
    assert_eq!(put(&changed).await.ok(), Value::Null);
    assert_eq!(server.job("1.0.0").await["manifest_yaml"], changed);
    assert_eq!(server.target("north").last_request().manifest.replicas, 1, "nothing is deployed by that");
    server.post("/job/adder/1.0.0/reprovision", &Value::Null).await.ok();
    assert_eq!(server.target("north").last_request().manifest.replicas, 3);

    for (wrong, text) in [
        (yaml.replace("name: adder", "name: primer"), "validating manifest: job name cannot be changed"),
        (yaml.replace("1.0.0", "1.0.1"), "validating manifest: job version cannot be changed"),
        (format!("{yaml}color: red\n"), "unknown field `color`"),
        (format!("{yaml}replicas: 0\n"), "replicas: must be from 1 to 50, not 0"),
        (String::new(), "validating manifest: cannot read the job manifest"),
    ] {
        let error = put(&wrong).await.error(400);
        assert!(error.contains(text), "{error}");
    }
    assert_eq!(server.job("1.0.0").await["manifest_yaml"], changed);
}
