//! Nobody gives away, or is shown of others, more than they have.

use axum::http::Method;
use racetrack_core::{Job, JobStatus};
use racetrack_store::Scope::{CallAdminApi, CallJob, DeleteJob, FullAccess, ReadJob};
use racetrack_store::{PasswordHash, Permission, Subject, User};
use serde_json::{Value, json};

use crate::harness::{Answer, Server};

/// An administrator with these permissions only.
async fn staff(server: &Server, username: &str, permissions: &[Permission]) -> String {
    let token = server.user(username, permissions).await;
    server.app.store.set_user_flags(username, true, true).await.expect("is set");
    token
}

#[track_caller]
fn refused(answer: &Answer, reason: &str) {
    assert_eq!(answer.error(), (401, format!("Unauthorized: {reason}")));
}

#[tokio::test]
async fn the_token_of_an_esc_is_shown_to_those_who_may_do_what_it_may() {
    let server = Server::start().await;
    server.esc("esc", &[Permission::everywhere(FullAccess)]).await;
    let api = server.user("carol", &[Permission::everywhere(CallAdminApi)]).await;
    let dave = staff(&server, "dave", &[Permission::everywhere(CallAdminApi)]).await;
    let root = staff(&server, "root", &[Permission::everywhere(FullAccess)]).await;
    let shown = "/auth/token/esc/esc";
    refused(&server.get(&api, shown).await, "ESC esc has full_access, which User carol does not have");
    refused(&server.get(&dave, shown).await, "ESC esc has full_access, which User dave does not have");
    refused(
        &server.get(&dave, "/escs/esc/auth_data").await,
        "ESC esc has full_access, which User dave does not have",
    );
    let made = server.post(&dave, "/escs/esc/auth_token", &Value::Null).await;
    refused(&made, "ESC esc has full_access, which User dave does not have");
    for path in [shown, "/escs/esc/auth_data"] {
        assert_eq!(server.get(&root, path).await.status, 200, "{path}");
    }
    assert_eq!(server.post(&root, "/escs/esc/auth_token", &Value::Null).await.status, 200);

    server.esc("narrow", &[Permission::for_job(CallJob, "adder", "1.0.0")]).await;
    assert_eq!(server.get(&api, "/auth/token/esc/narrow").await.status, 401);
    let caller = [Permission::everywhere(CallAdminApi), Permission::for_family(CallJob, "adder")];
    let caller = server.user("erin", &caller).await;
    assert_eq!(server.get(&caller, "/auth/token/esc/narrow").await.status, 200);
}

#[tokio::test]
async fn permissions_are_given_by_those_who_have_them() {
    let server = Server::start().await;
    server.esc("esc", &[]).await;
    let own = [Permission::everywhere(CallAdminApi), Permission::for_family(ReadJob, "adder")];
    let dave = staff(&server, "dave", &own).await;
    for (scope, family, status) in [
        ("read_job", "adder", 200),
        ("read_job", "primer", 401),
        ("delete_job", "adder", 401),
        ("call_job", "adder", 401),
        ("full_access", "adder", 401),
        ("call_admin_api", "adder", 200),
    ] {
        for subject in ["esc/esc", "job_family/primer"] {
            let path = format!("/auth/allow/{subject}/job/{family}/scope/{scope}");
            assert_eq!(server.post(&dave, &path, &Value::Null).await.status, status, "{path}");
        }
        for name in ["dave", "admin"] {
            let body =
                json!({ "subject": { "kind": "user", "name": name }, "scope": scope, "job_family": family });
            assert_eq!(server.post(&dave, "/permissions", &body).await.status, status, "{body}");
        }
    }
    let everywhere = json!({ "subject": { "kind": "user", "name": "dave" }, "scope": "read_job" });
    let answer = server.post(&dave, "/permissions", &everywhere).await;
    refused(&answer, "nobody gives away read_job without having it");
    let access = server.app.store.access().await.expect("is there");
    assert!(access.permissions_of(&Subject::esc("esc")).iter().all(|it| it.scope != DeleteJob));
    // What one has not may still be taken away.
    let taken = json!({ "subject": { "kind": "user", "name": "admin" }, "scope": "full_access" });
    assert_eq!(server.send(&dave, Method::DELETE, "/permissions", &taken).await.status, 200);
}

#[tokio::test]
async fn a_user_is_let_in_by_those_who_may_do_what_the_user_may() {
    let server = Server::start().await;
    let dave = staff(&server, "dave", &[Permission::everywhere(CallJob)]).await;
    for (name, scope) in [("reader", ReadJob), ("caller", CallJob)] {
        let user = User::new(name, PasswordHash::new("none"), 0);
        server.app.store.create_user(&user, &[Permission::everywhere(scope)]).await.expect("is made");
    }
    let flags = |is_active: bool, is_staff: bool| json!({ "is_active": is_active, "is_staff": is_staff });
    let answer = server.put(&dave, "/users/reader", &flags(true, true)).await;
    refused(&answer, "user reader has read_job, which User dave does not have");
    assert!(!server.app.store.user("reader").await.expect("is there").is_active);
    assert_eq!(server.put(&dave, "/users/caller", &flags(true, false)).await.status, 200);
    // To keep somebody out gives nothing away, and neither does what one is oneself.
    assert_eq!(server.put(&dave, "/users/admin", &flags(true, true)).await.status, 200);
    assert_eq!(server.put(&dave, "/users/admin", &flags(false, true)).await.status, 200);
    assert_eq!(server.put(&dave, "/users/admin", &flags(true, true)).await.status, 401);
}

#[tokio::test]
async fn an_endpoint_is_opened_to_all_by_those_who_may_call_it() {
    let server = Server::start().await;
    let job = Job::new("adder", "1.0.0", JobStatus::Running, 0);
    server.app.store.save_job(&job, &[]).await.expect("is saved");
    let endpoints = ["/sum".to_owned()];
    server.app.store.request_public_endpoints("adder", "1.0.0", &endpoints).await.expect("is requested");
    let api = server.user("carol", &[Permission::everywhere(CallAdminApi)]).await;
    let caller = [Permission::everywhere(CallAdminApi), Permission::for_family(CallJob, "adder")];
    let caller = server.user("erin", &caller).await;
    let path = "/job/adder/1.0.0/public-endpoints";
    let state = |active: bool| json!({ "endpoint": "/sum", "active": active });
    let answer = server.put(&api, path, &state(true)).await;
    refused(&answer, "nobody gives away call_job for job adder 1.0.0 without having it");
    assert_eq!(server.put(&caller, path, &state(true)).await.status, 200);
    assert_eq!(server.put(&api, path, &state(false)).await.status, 200);
}
