//! Sessions of users: they end by themselves, by their owner, and by an administrator.

use std::time::Duration;

use racetrack_lifecycle::settings::LifecycleSettings;
use racetrack_service::settings::Span;
use racetrack_store::Subject;
use serde_json::{Value, json};

use crate::harness::{Answer, KEY, PASSWORD, Server, settings, signed};

async fn log_in(server: &Server) -> (String, String) {
    let body = json!({ "username": "admin", "password": PASSWORD });
    let answer = server.post("", "/users/session", &body).await;
    assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
    let session = answer.ok();
    let text = |name: &str| session[name].as_str().expect("is a text").to_owned();
    assert_eq!((&session["username"], &session["is_staff"]), (&json!("admin"), &json!(true)));
    (text("token"), text("id"))
}

async fn whoami(server: &Server, token: &str) -> Answer {
    server.get(token, "/users/validate_user_auth").await
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let settings = LifecycleSettings { session_lifetime: Some(Span(Duration::from_hours(1))), ..settings() };
    for (settings, lifetime) in [(settings, 3600), (crate::harness::settings(), 12 * 3600)] {
        let server = Server::start_with(settings).await;
        log_in(&server).await;
        let tokens = server.app.store.tokens_of(&Subject::user("admin")).await.expect("are there");
        let session = tokens.iter().find(|token| token.is_session).expect("is there");
        let seconds = session.expiry_time.expect("ends") - session.create_time;
        assert!((lifetime - 1..=lifetime + 1).contains(&seconds), "{seconds}");
    }
    let server = Server::start().await;
    let over = server.app.store.create_session("admin", 1).await.expect("is made");
    let refused = whoami(&server, &signed(&over.subject, &over.seed, KEY)).await.error();
    assert_eq!(refused, (401, "Unauthenticated: invalid token: it has expired".to_owned()));
    let admin = server.admin().await;
    assert_eq!(server.get(&admin, "/users/sessions").await.ok(), json!([]));
}

#[tokio::test]
async fn logging_out_ends_the_session_and_no_other_token() {
    let server = Server::start().await;
    let lasting = server.login("admin", PASSWORD).await.ok()["token"].as_str().expect("is a text").to_owned();
    let (first, _) = log_in(&server).await;
    let (second, _) = log_in(&server).await;
    let (third, _) = log_in(&server).await;
    assert_eq!(server.delete(&first, "/users/session").await.ok(), Value::Null);
    assert_eq!(server.get(&second, "/users/logout").await.ok(), Value::Null);
    for (token, status) in [(&first, 401), (&second, 401), (&third, 200), (&lasting, 200)] {
        assert_eq!(whoami(&server, token).await.status, status);
    }
    assert_eq!(server.delete(&lasting, "/users/session").await.status, 400);
    for token in [&lasting, &first, ""] {
        assert_eq!(server.get(token, "/users/logout").await.ok(), Value::Null);
    }
    assert_eq!(whoami(&server, &lasting).await.status, 200, "it is that of a command line");
    assert_eq!(server.login("admin", PASSWORD).await.json()["token"], lasting, "never that of a session");
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner() {
    let server = Server::start().await;
    let (first, first_id) = log_in(&server).await;
    let (second, second_id) = log_in(&server).await;
    let bob = server.user("bob", &[]).await;
    let listed = server.get(&second, "/users/sessions").await.ok();
    let listed = listed.as_array().expect("is a list");
    let current = |id: &str| listed.iter().find(|session| session["id"] == id).map(|it| &it["is_current"]);
    assert_eq!((current(&first_id), current(&second_id)), (Some(&json!(false)), Some(&json!(true))));
    assert!(listed.iter().all(|session| session.get("token").is_none()), "{listed:?}");

    let path = format!("/users/sessions/{first_id}");
    let missing = (404, format!("No session with ID {first_id}"));
    assert_eq!(server.delete(&bob, &path).await.error(), missing);
    assert_eq!(server.delete(&second, &path).await.ok(), Value::Null);
    assert_eq!(server.delete(&second, &path).await.error(), missing);
    assert_eq!((whoami(&server, &first).await.status, whoami(&server, &second).await.status), (401, 200));
}

#[tokio::test]
async fn administrators_list_and_end_sessions_of_others() {
    let server = Server::start().await;
    let (admin, _) = log_in(&server).await;
    let bob = server.user("bob", &[]).await;
    let session = server.app.store.create_session("bob", i64::MAX).await.expect("is made");
    let token = signed(&session.subject, &session.seed, KEY);
    assert_eq!(server.get(&bob, "/users/bob/sessions").await.status, 401);
    let listed = server.get(&admin, "/users/bob/sessions").await.ok();
    assert_eq!(
        (listed[0]["id"].as_str(), &listed[0]["is_current"]),
        (Some(session.id.as_str()), &json!(false))
    );
    assert_eq!(server.get(&admin, "/users/nobody/sessions").await.status, 404);
    assert_eq!(server.delete(&admin, &format!("/users/bob/sessions/{}", session.id)).await.ok(), Value::Null);
    assert_eq!((whoami(&server, &token).await.status, whoami(&server, &bob).await.status), (401, 200));
}

#[tokio::test]
async fn a_session_is_not_made_to_last() {
    let server = Server::start().await;
    let (token, _) = log_in(&server).await;
    let made = server.post(&token, "/auth/token/user/regenerate", &Value::Null).await.ok();
    assert_eq!(whoami(&server, &token).await.status, 401);
    assert_eq!(whoami(&server, made["new_token"].as_str().expect("is a text")).await.status, 200);
    let tokens = server.app.store.tokens_of(&Subject::user("admin")).await.expect("are there");
    assert!(matches!(&tokens[..], [only] if only.is_session && only.expiry_time.is_some()), "{tokens:?}");
}

#[tokio::test]
async fn a_wrong_password_opens_no_session() {
    let server = Server::start().await;
    let body = json!({ "username": "admin", "password": "wrong password" });
    let refused = server.post("", "/users/session", &body).await.error();
    assert_eq!(refused, (401, "Unauthenticated: the username or the password is wrong".to_owned()));
}
