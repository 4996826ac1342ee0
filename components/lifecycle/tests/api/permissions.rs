//! Permissions: given, taken, and asked about.

use axum::http::Method;
use racetrack_store::Scope::{CallAdminApi, CallJob, FullAccess, ReadJob};
use racetrack_store::{Permission, Subject};
use serde_json::{Value, json};

use crate::harness::Server;

#[tokio::test]
async fn administrators_give_and_take_permissions() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let token = server.esc("watcher", &[]).await;
    let permission = json!({
        "subject": { "kind": "esc", "name": "watcher" }, "scope": "read_job",
        "job": { "name": "adder", "version": "1.0.0" },
    });
    assert_eq!(server.get(&token, "/job/adder/1.0.0").await.status, 401);
    for _ in 0..2 {
        assert_eq!(server.post(&admin, "/permissions", &permission).await.ok(), Value::Null);
    }
    assert_eq!(server.get(&token, "/job/adder/1.0.0").await.status, 200);
    assert_eq!(server.get(&token, "/job/adder/2.0.0").await.status, 401);

    let whole = json!({
        "subject": { "kind": "esc", "name": "watcher" }, "scope": "read_job", "job_family": null,
        "job": { "name": "adder", "version": "1.0.0" }, "endpoint": null,
    });
    let of_admin = json!({
        "subject": { "kind": "user", "name": "admin" }, "scope": "full_access", "job_family": null, "job": null,
        "endpoint": null,
    });
    assert_eq!(server.get(&admin, "/permissions").await.ok(), json!([of_admin, whole]));

    let revoke = || server.send(&admin, Method::DELETE, "/permissions", &whole);
    assert_eq!(revoke().await.ok(), Value::Null);
    assert_eq!(server.get(&token, "/job/adder/1.0.0").await.status, 401);
    let (status, text) = revoke().await.error();
    assert!(status == 404 && text.starts_with("watcher has no permission with scope read_job"), "{text}");
}

#[tokio::test]
async fn an_esc_and_a_job_family_are_allowed_to_call_a_job() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let esc = server.esc("watcher", &[]).await;
    let family = server.token_of(&Subject::job_family("primer")).await;
    for (token, path) in [
        (&esc, "/auth/allow/esc/watcher/job/adder/scope/call_job"),
        (&family, "/auth/allow/job_family/primer/job/adder/scope/call_job"),
    ] {
        let allowed = "/auth/allowed/job/adder/latest/scope/call_job";
        let refused = server.get(token, allowed).await.error();
        let reason = "has no permission with scope call_job for job adder 2.0.0";
        assert!(refused.0 == 401 && refused.1.ends_with(reason), "{refused:?}");
        assert_eq!(server.post(&admin, path, &Value::Null).await.ok(), Value::Null);
        let answer = server.get(token, allowed).await;
        assert_eq!((answer.status, answer.body.len()), (202, 0));
        assert!(answer.headers.contains_key("content-type"), "clients in use want one");
        for (path, status) in [
            ("/auth/allowed/job_endpoint/adder/1.0.0/scope/call_job/endpoint/api/v1/perform", 202),
            ("/auth/allowed/job/adder/1.0.0/scope/read_job", 401),
            ("/auth/allowed/job/primer/1.0.0/scope/call_job", 401),
            ("/auth/allowed/job/nothing/1.0.0/scope/call_job", 404),
        ] {
            assert_eq!(server.get(token, path).await.status, status, "{path}");
        }
    }
}

#[tokio::test]
async fn a_permission_for_an_endpoint_is_for_no_other() {
    let server = Server::start().await;
    let sum = Permission { endpoint: Some("/sum".to_owned()), ..Permission::for_family(CallJob, "adder") };
    let token = server.user("bob", &[sum]).await;
    for (path, status) in [("endpoint/sum", 202), ("endpoint/sum/", 202), ("endpoint/sum/x", 401)] {
        let path = format!("/auth/allowed/job_endpoint/adder/1.0.0/scope/call_job/{path}");
        assert_eq!(server.get(&token, &path).await.status, status, "{path}");
    }
    let whole_job = "/auth/allowed/job/adder/1.0.0/scope/call_job";
    assert_eq!(server.get(&token, whole_job).await.status, 401);
}

#[tokio::test]
async fn full_access_is_given_by_those_who_have_it() {
    let server = Server::start().await;
    let path = "/auth/allow/esc/watcher/job/adder/scope/full_access";
    let watcher = server.esc("watcher", &[Permission::everywhere(CallAdminApi)]).await;
    let refused = server.post(&watcher, path, &Value::Null).await;
    let reason = "Unauthorized: nobody gives away full_access for job adder without having it";
    assert_eq!(refused.error(), (401, reason.to_owned()));
    let root = server.user("root", &[Permission::everywhere(FullAccess)]).await;
    assert_eq!(server.post(&root, path, &Value::Null).await.ok(), Value::Null);
    assert_eq!(server.get(&watcher, "/job/adder/1.0.0").await.status, 200);
}

#[tokio::test]
async fn mistakes_are_told() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let bob = json!({ "kind": "user", "name": "admin" });
    for (body, status, expected) in [
        (json!({ "scope": "read_job" }), 400, "missing field `subject`"),
        (json!({ "subject": bob, "scope": "sudo" }), 400, "scope: unknown variant `sudo`, expected one of"),
        (json!({ "subject": bob, "scope": "read_job", "version": "1" }), 400, "unknown field `version`"),
        (
            json!({ "subject": { "kind": "group", "name": "x" }, "scope": "read_job" }),
            400,
            "unknown variant `group`",
        ),
        (
            json!({ "subject": { "kind": "internal", "name": "x" }, "scope": "read_job" }),
            400,
            "parts of Racetrack",
        ),
        (
            json!({
                "subject": bob, "scope": "read_job", "job_family": "primer",
                "job": { "name": "adder", "version": "1.0.0" },
            }),
            400,
            "job adder is not of the job family primer",
        ),
        (json!({ "subject": { "kind": "user", "name": "x" }, "scope": "read_job" }), 404, "No user named x"),
        (json!({ "subject": bob, "scope": "read_job", "job_family": "x" }), 404, "No job family named x"),
        (
            json!({ "subject": bob, "scope": "read_job", "job": { "name": "adder", "version": "3.0.0" } }),
            404,
            "No job named adder with version 3.0.0",
        ),
    ] {
        let (found, text) = server.post(&admin, "/permissions", &body).await.error();
        assert!(found == status && text.contains(expected), "{body}: {text}");
    }
    for (path, status, expected) in [
        ("/auth/allow/esc/x/job/adder/scope/sudo", 400, "unknown variant `sudo`"),
        ("/auth/allow/esc/x/job/adder/scope/read_job", 404, "No ESC with ID x"),
        ("/auth/allow/job_family/x/job/adder/scope/read_job", 404, "No job family named x"),
        ("/auth/allow/job_family/adder/job/x/scope/read_job", 404, "No job family named x"),
    ] {
        let (found, text) = server.post(&admin, path, &Value::Null).await.error();
        assert!(found == status && text.contains(expected), "{path}: {text}");
    }
    let access = server.app.store.access().await.expect("is there");
    assert_eq!(access.permissions_of(&Subject::user("admin")), [Permission::everywhere(FullAccess)]);
    assert_eq!(access.permissions_of(&Subject::job_family("adder")), []);
    assert!(
        server
            .get(&server.user("bob", &[Permission::everywhere(ReadJob)]).await, "/permissions")
            .await
            .status
            == 401
    );
}
