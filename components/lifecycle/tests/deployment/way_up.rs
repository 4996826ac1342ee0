//! A deployment in which nothing goes wrong.

use racetrack_lifecycle::auth::Claims;
use racetrack_store::{Permission, Scope, Subject, SubjectKind};
use serde_json::{Value, json};

use super::harness::{COMPONENT_TOKEN, EMPTY_CONTEXT, KEY, Server, Setup, adder, forced, with};

#[tokio::test]
async fn a_deployment_goes_through_its_phases() {
    let server = Server::start().await;
    let target = server.target("north");
    let gates = [
        ("building image", None, server.builder.gate()),
        ("creating cluster resources", Some("starting"), target.switches.gate("deploy_job")),
        ("starting Job server", Some("starting"), target.switches.gate("start_server")),
        ("initializing Job entrypoint", Some("starting"), target.switches.gate("check_job_condition")),
        ("post-deploy hooks", Some("running"), server.world.switches.gate("second post_job_deploy")),
    ];
    let id = server.deploy(&adder("1.0.0")).await;
    for (phase, status, gate) in gates {
        gate.reached().await;
        // The phase is set a moment after the job is alive.
        let record = server.until(&format!("/deploy/{id}"), |record| record["phase"] == phase).await;
        assert_eq!((&record["status"], &record["job"]), (&json!("in_progress"), &Value::Null));
        let job = server.get("/job/adder/1.0.0").await;
        match status {
            Some(status) => assert_eq!(job.ok()["status"], status, "{phase}"),
            None => assert_eq!(job.error(404), "No job named adder"),
        }
        gate.open();
    }
    let record = server.ended(&id).await;
    assert_eq!(
        (&record["status"], &record["phase"], &record["error"]),
        (&json!("done"), &Value::Null, &Value::Null)
    );
    assert_eq!(record["job"]["status"], "running");
}

#[tokio::test]
async fn the_record_and_the_job_say_what_was_deployed() {
    let server = Server::start().await;
    let record = server.deployed(&adder("1.0.0")).await;
    let order = &server.builder.orders()[0].body;
    let tag = order["tag"].as_str().expect("is a text");
    let image = format!("registry/job-entrypoint/adder:{tag}");
    for (key, value) in [
        ("deployed_by", "admin"),
        ("image_name", &image),
        ("infrastructure_target", "north"),
        ("job_name", "adder"),
        ("job_version", "1.0.0"),
    ] {
        assert_eq!(record[key], value, "{key}");
    }
    assert_eq!(record["warnings"], Value::Null);
    assert!(record["create_time"].as_i64() <= record["update_time"].as_i64(), "{record}");
    let yaml = record["manifest_yaml"].as_str().expect("is a text");
    assert_eq!(serde_yaml::from_str::<Value>(yaml).expect("is YAML"), adder("1.0.0")["manifest"]);

    let job = server.job("1.0.0").await;
    assert_eq!(job, record["job"]);
    for (key, value) in [
        ("pub_url", "https://example.com/pub/job/adder/1.0.0"),
        ("job_type_version", "python3:1.0.0"),
        ("image_tag", tag),
        ("deployed_by", "admin"),
        ("infrastructure_target", "north"),
        ("manifest_yaml", yaml),
    ] {
        assert_eq!(job[key], value, "{key}");
    }
    assert_eq!(job["manifest"]["replicas"], 1, "defaults are filled in");
    let request = server.target("north").last_request();
    assert_eq!(job["internal_name"], format!("north:{}", request.timestamp));
    assert_eq!(job["update_time"], request.timestamp);
    assert_eq!((request.tag.as_str(), request.image_names), (tag, vec![image]));
    assert_eq!(server.get("/job/adder/1.0.0/build-logs").await.ok()["logs"], "step 1\nstep 2\n");
    assert_eq!(server.get("/job/adder/1.0.0/build-logs?tail=1").await.ok()["logs"], "step 2\n");
}

#[tokio::test]
async fn image_builder_is_given_everything_but_the_secrets_of_run_time() {
    let server = Server::start().await;
    let request = json!({
        "manifest": adder("1.0.0")["manifest"],
        "git_credentials": { "username": "bob", "password": "of-git" },
        "secret_vars": { "build_env": { "B": "of-build" }, "runtime_env": { "R": "of-run-time" } },
        "build_context": EMPTY_CONTEXT,
        "force": null,
        "build_flags": ["--pull"],
    });
    let id = server.deploy(&request).await;
    server.ended(&id).await;
    let orders = server.builder.orders();
    let [order] = orders.as_slice() else { panic!("{orders:?}") };
    assert_eq!(order.token.as_deref(), Some(COMPONENT_TOKEN));
    let mut body = order.body.clone();
    let tag = body["tag"].take();
    assert_eq!(
        body,
        json!({
            "manifest": request["manifest"],
            "git_credentials": request["git_credentials"],
            "secret_build_env": { "B": "of-build" },
            "tag": null,
            "build_context": EMPTY_CONTEXT,
            "deployment_id": id,
            "build_flags": ["--pull"],
            "platform_id": server.app.store.platform_id().await.expect("is kept"),
        })
    );
    let tag = tag.as_str().expect("is a text");
    let (time, of_deployment) = tag.rsplit_once('-').expect("has an end");
    assert!(time.len() == 17 && time.as_bytes()[10] == b'T' && !time.contains(':'), "{tag}");
    // Two deployments may be claimed in one second.
    assert_eq!(of_deployment, &id[..8]);
    let kept = server.target("north").secrets("adder", "1.0.0").expect("are kept");
    assert_eq!(kept.secret_runtime_env["R"], "of-run-time");
    assert_eq!(kept.git_credentials.expect("are kept").password, "of-git");
    for path in [format!("/deploy/{id}"), "/job/adder/1.0.0".to_owned(), "/audit/events".to_owned()] {
        let shown = server.get(&path).await.text().to_owned();
        for secret in ["of-git", "of-build", "of-run-time"] {
            assert!(!shown.contains(secret), "{path} shows {secret}");
        }
    }
}

#[tokio::test]
async fn the_environment_is_of_the_manifest_then_of_plugins_then_of_the_platform() {
    let server = Server::start().await;
    let own = [
        ("second", [("P", "of second"), ("M", "of second")]),
        ("third", [("P", "of third"), ("AUTH_TOKEN", "x")]),
    ];
    for (plugin, variables) in own {
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        server.world.variables.lock().expect("not poisoned").insert(plugin, variables.into());
    }
    let mut request = adder("1.0.0");
    request["manifest"]["build_env"] = json!({ "B": "1", "BR": "2", "BS": "3" });
    request["manifest"]["runtime_env"] = json!({ "R": "4", "BR": "5", "M": "6" });
    request["secret_vars"] = json!({ "build_env": { "SB": "8" }, "runtime_env": { "SR": "9", "BS": "10" } });
    server.deployed(&request).await;

    let mut given = server.target("north").last_request();
    let token = given.variables.remove("AUTH_TOKEN").expect("is given");
    let expected = [
        ("B", ""),
        ("BR", "5"),
        ("CALLER_NAME_HEADER", "X-Caller-Name"),
        ("M", "of second"),
        ("P", "of third"),
        ("PUB_URL", "http://lifecycle/pub"),
        ("R", "4"),
        ("REQUEST_TRACING_HEADER", "X-Request-Tracing-Id"),
        ("SB", ""),
    ];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    assert_eq!(given.variables, expected.map(owned).into());
    assert_eq!(given.secret_variables, [("SR", "9"), ("BS", "10")].map(owned).into());
    assert_eq!(given.manifest.name, "adder");

    let claims = Claims::verify(&token, &KEY.parse().expect("long enough")).expect("is signed");
    assert_eq!((claims.subject.as_str(), claims.subject_type), ("adder", SubjectKind::JobFamily));
    assert_eq!(
        server.send(&token, axum::http::Method::GET, "/deploy", "").await.status,
        200,
        "the token is good"
    );
}

#[tokio::test]
async fn whoever_deploys_a_version_first_may_do_everything_with_it() {
    let server = Server::start().await;
    let family = Permission::everywhere(Scope::DeployNewFamily);
    let bob = server.user("bob", std::slice::from_ref(&family)).await;
    let answer = server.send(&bob, axum::http::Method::POST, "/deploy", adder("1.0.0").to_string()).await;
    server.ended(answer.ok()["id"].as_str().expect("is a text")).await;
    let granted = async |subject: Subject| {
        let access = server.app.store.access().await.expect("is known");
        access.permissions_of(&subject).to_vec()
    };
    let of_bob = granted(Subject::user("bob")).await;
    for scope in [Scope::ReadJob, Scope::CallJob, Scope::DeployJob, Scope::DeleteJob] {
        assert!(of_bob.contains(&Permission::for_job(scope, "adder", "1.0.0")), "{scope}");
    }
    assert_eq!(of_bob.len(), 5, "{of_bob:?}");

    let of_admin = granted(Subject::user("admin")).await;
    server.deployed(&forced(adder("1.0.0"))).await;
    assert_eq!(granted(Subject::user("admin")).await, of_admin, "the version was there");
    assert_eq!(server.audit_types().await, ["job_deployed", "job_redeployed"]);
    let by: Vec<_> = server.audit().await.iter().map(|event| event["username_executor"].clone()).collect();
    assert_eq!(by, ["bob", "admin"]);
}

#[tokio::test]
async fn public_endpoints_are_asked_for_and_stay_closed() {
    let server = Server::start().await;
    let request = with(adder("1.0.0"), "/manifest/public_endpoints", json!(["/api/v1/perform", "/docs"]));
    server.deployed(&request).await;
    let open = async || server.get("/job/adder/1.0.0/public-endpoints").await.ok();
    assert_eq!(open().await, json!([]));
    let agreed = json!({ "endpoint": "/docs", "active": true });
    server.put("/job/adder/1.0.0/public-endpoints", &agreed).await.ok();
    let docs = json!({ "job_name": "adder", "job_version": "1.0.0", "endpoint": "/docs", "active": true });
    assert_eq!(open().await, json!([docs]));
    server.deployed(&forced(request)).await;
    assert_eq!(open().await, json!([docs]), "what is open stays open");
}

#[tokio::test]
async fn a_lifecycle_that_asks_nobody_deploys_for_nobody() {
    let mut setup = Setup::new(&["north"]);
    setup.settings.auth_required = Some(false);
    let server = setup.start().await;
    let record = server.deployed(&adder("1.0.0")).await;
    assert_eq!((&record["deployed_by"], &record["warnings"]), (&Value::Null, &Value::Null));
    let told = server.world.journal.take(&["first post_job_deploy"]);
    assert!(told[0].ends_with("by nobody"), "{told:?}");
}
