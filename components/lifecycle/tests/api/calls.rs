//! Who may call which endpoint of a job.

use racetrack_core::{Job, JobStatus};
use racetrack_store::Scope::{CallAdminApi, CallJob, FullAccess};
use racetrack_store::{Permission, Subject};
use serde_json::{Value, json};

use crate::harness::Server;

async fn ask(server: &Server, token: &str, what: &str) -> (u16, String) {
    let answer = server.get(token, &format!("/auth/can-call-job/{what}")).await;
    match answer.status {
        200 => (200, answer.json()["caller"].as_str().expect("is a text").to_owned()),
        _ => answer.error(),
    }
}

#[tokio::test]
async fn whoever_may_call_is_named_as_the_job_is_told() {
    let server = Server::start().await;
    let call = [Permission::for_family(CallJob, "adder")];
    let user = server.user("bob", &call).await;
    let created = server.app.store.create_esc("The Watcher", Some("42")).await.expect("is made");
    let esc = Subject::esc(&created.id);
    server.app.store.grant(&esc, &call).await.expect("is granted");
    let family = Subject::job_family("primer");
    server.app.store.grant(&family, &call).await.expect("is granted");
    for (token, caller) in [
        (user, "User bob"),
        (server.token_of(&esc).await, "ESC The Watcher"),
        (server.token_of(&family).await, "Job family primer"),
    ] {
        assert_eq!(ask(&server, &token, "adder/latest/api/v1/perform").await, (200, caller.to_owned()));
        assert_eq!(ask(&server, &token, "adder/1.0.0/").await, (200, caller.to_owned()));
        let refused = ask(&server, &token, "primer/1.x/api/v1/perform").await;
        let reason = "has no permission with scope call_job for endpoint /api/v1/perform of job primer 1.x";
        assert!(refused.0 == 401 && refused.1.ends_with(reason), "{refused:?}");
    }
}

#[tokio::test]
async fn the_answer_has_the_job_and_no_secret() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let answer = server.get(&admin, "/auth/can-call-job/adder/2.x/perform").await.ok();
    assert_eq!((&answer["job"]["name"], &answer["job"]["version"]), (&json!("adder"), &json!("2.0.0")));
    assert_eq!(
        (&answer["remote_gateway_url"], &answer["remote_gateway_token"]),
        (&Value::Null, &Value::Null)
    );
}

#[tokio::test]
async fn who_may_call_a_job_and_not_read_it_is_told_no_more_than_its_address() {
    let server = Server::start().await;
    let mut job = Job::new("adder", "1.0.0", JobStatus::Error, 1_700_000_000);
    job.manifest_yaml = Some("name: adder\nruntime_env: {COLOR: red}\n".to_owned());
    job.error = Some("the last lines of its log".to_owned());
    job.internal_name = Some("127.0.0.1:7000".to_owned());
    server.app.store.save_job(&job, &[]).await.expect("is saved");
    let caller = server.user("carol", &[Permission::for_family(CallJob, "adder")]).await;
    for (token, path, is_told) in
        [("", "live", false), (caller.as_str(), "perform", false), (&server.admin().await, "perform", true)]
    {
        let answer = server.get(token, &format!("/auth/can-call-job/adder/1.0.0/{path}")).await.ok();
        let is_known = !token.is_empty();
        assert_eq!(answer["job"]["internal_name"] == "127.0.0.1:7000", is_known, "{answer}");
        assert_eq!(answer["job"]["internal_name"] == Value::Null, !is_known, "{answer}");
        for secret in ["manifest_yaml", "error"] {
            assert_eq!(answer["job"][secret] != Value::Null, is_told, "{secret} at {path}: {answer}");
        }
    }
}

#[tokio::test]
async fn probes_are_open_to_all_and_what_looks_like_one_is_not() {
    let server = Server::start().await;
    for (path, status) in [
        ("health", 200),
        ("live", 200),
        ("ready/", 200),
        ("metrics", 401),
        ("live/deeper", 401),
        ("", 401),
        ("live/../perform", 401),
        ("live%2F..%2Fperform", 401),
    ] {
        let (found, text) = ask(&server, "", &format!("adder/1.0.0/{path}")).await;
        assert_eq!(found, status, "{path}: {text}");
    }
}

#[tokio::test]
async fn who_is_unknown_is_not_told_which_jobs_there_are() {
    let server = Server::start().await;
    let nobody = ask(&server, "", "nothing/1.0.0/live").await;
    assert_eq!(nobody, ask(&server, "", "adder/1.0.0/perform").await);
    // Nor is who may not call them, nor which version `latest` is.
    let bob = server.user("bob", &[]).await;
    for (version, path) in
        [("1.0.0", "perform"), ("latest", "perform"), ("9.9.9", "perform"), ("9.9.9", "live")]
    {
        let [missing, there] = ["nothing", "adder"].map(|name| format!("{name}/{version}/{path}"));
        let (status, text) = ask(&server, &bob, &missing).await;
        assert_eq!((status, text.contains(&format!("of job nothing {version}"))), (401, true), "{text}");
        assert_eq!(ask(&server, &bob, &there).await, (401, text.replace("nothing", "adder")));
    }
    let carol = server.user("carol", &[Permission::everywhere(CallJob)]).await;
    assert_eq!(ask(&server, &carol, "nothing/1.0.0/live").await, (404, "No job named nothing".to_owned()));
}

#[tokio::test]
async fn a_public_endpoint_is_open_while_an_administrator_says_so() {
    let server = Server::start().await;
    let admin = server.user("root", &[CallAdminApi, CallJob].map(Permission::everywhere)).await;
    let requested = ["/public".to_owned()];
    let store = &server.app.store;
    store.request_public_endpoints("adder", "2.0.0", &requested).await.expect("is requested");
    let states = [(None, 401), (Some(true), 200), (Some(false), 401)];
    for (active, status) in states {
        if let Some(active) = active {
            let body = json!({ "endpoint": "/public", "active": active });
            let set = server.put(&admin, "/job/adder/latest/public-endpoints", &body).await;
            assert_eq!(set.ok(), Value::Null);
        }
        let open = ask(&server, "", "adder/2.0.0/public/page.html").await;
        assert_eq!((open.0, open.1.is_empty()), (status, status == 200), "{active:?}");
        let listed = server.get(&server.admin().await, "/job/adder/2.0.0/public-endpoints").await.ok();
        assert_eq!(listed.as_array().map(Vec::len), Some(usize::from(status == 200)));
        for closed in ["adder/2.0.0/publicity", "adder/2.0.0/public/../secret", "adder/1.0.0/public"] {
            assert_eq!(ask(&server, "", closed).await.0, 401, "{closed}");
        }
    }
    let unknown = json!({ "endpoint": "/secret", "active": true });
    let refused = server.put(&admin, "/job/adder/2.0.0/public-endpoints", &unknown).await;
    let reason = "job adder 2.0.0 has no public endpoint /secret";
    assert_eq!(refused.error(), (404, reason.to_owned()));
}

#[tokio::test]
async fn a_known_caller_of_a_public_endpoint_is_named() {
    let server = Server::start().await;
    let bob = server.user("bob", &[]).await;
    assert_eq!(ask(&server, &bob, "adder/1.0.0/live").await, (200, "User bob".to_owned()));
    assert_eq!(ask(&server, "nonsense", "adder/1.0.0/live").await, (200, String::new()));
}

#[tokio::test]
async fn nothing_is_called_in_maintenance() {
    let server = Server::start().await;
    let root = server.user("root", &[Permission::everywhere(FullAccess)]).await;
    server.put(&root, "/maintenance", &json!({ "maintenance_mode": true })).await.ok();
    for path in ["adder/1.0.0/perform", "adder/1.0.0/live"] {
        let (status, text) = ask(&server, &root, path).await;
        assert!(status == 503 && text.contains("maintenance"), "{path}: {text}");
    }
    server.put(&root, "/maintenance", &json!({ "maintenance_mode": false })).await.ok();
    assert_eq!(ask(&server, &root, "adder/1.0.0/perform").await.0, 200);
}
