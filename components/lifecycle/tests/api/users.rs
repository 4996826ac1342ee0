//! Users: registering, logging in, changing the password, and what administrators decide.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use futures_util::future::join_all;
use racetrack_lifecycle::settings::{LifecycleSettings, Registration};
use racetrack_service::peer::Peer;
use racetrack_service::settings::Span;
use racetrack_store::{Permission, Scope, Subject};
use serde_json::{Value, json};

use crate::harness::{Answer, PASSWORD, Server, send, settings};

fn credentials(username: &str, password: &str) -> Value {
    json!({ "username": username, "password": password })
}

#[tokio::test]
async fn a_registered_user_is_let_in_when_an_administrator_says_so() {
    let server = Server::start().await;
    let registered = server.post("", "/users/register", &credentials("bob", "hunter2hunter2")).await;
    assert_eq!(registered.ok(), Value::Null);
    let refused = server.login("bob", "hunter2hunter2").await.error();
    let reason = "Unauthenticated: the user is not active; an administrator has to activate it";
    assert_eq!(refused, (401, reason.to_owned()));

    let flags = json!({ "is_active": true, "is_staff": false });
    assert_eq!(server.put(&server.admin().await, "/users/bob", &flags).await.ok(), Value::Null);
    let token = server.login("bob", "hunter2hunter2").await.ok()["token"].clone();
    let token = token.as_str().expect("is a text");
    let validated = server.get(token, "/users/validate_user_auth").await.ok();
    assert_eq!(validated, json!({ "username": "bob", "token": token, "is_staff": false }));

    let access = server.app.store.access().await.expect("is there");
    let mut scopes: Vec<_> = access.permissions_of(&Subject::user("bob")).to_vec();
    scopes.sort_by_key(|permission| permission.scope);
    let expected = [Scope::ReadJob, Scope::DeployJob, Scope::DeployNewFamily, Scope::CallJob];
    assert_eq!(scopes, expected.map(Permission::everywhere));

    let again = server.post("", "/users/register", &credentials("bob", "another password")).await;
    assert_eq!(again.error(), (409, "User bob already exists".to_owned()));
    assert_eq!(server.login("bob", "another password").await.status, 401);
}

#[tokio::test]
async fn a_login_answers_a_token_and_a_cookie() {
    let server = Server::start().await;
    let answer = server.login("admin", PASSWORD).await;
    let token = answer.json()["token"].as_str().expect("is a text").to_owned();
    assert_eq!(answer.ok(), json!({ "username": "admin", "token": token, "is_staff": true }));
    let ending = "; Path=/pub; HttpOnly; SameSite=Lax; Max-Age=43200";
    assert!(answer.cookie().ends_with(ending), "{}", answer.cookie());
    assert!(!answer.cookie().contains(&token), "a cookie reaches every port of the host");
    let again = server.login("admin", PASSWORD).await;
    assert_eq!(again.json()["token"], token, "a token without expiry is the one there is");
    assert!(server.app.store.user("admin").await.expect("is there").last_login_time.is_some());

    let (cookie, _) = answer.cookie().split_once(';').expect("has attributes");
    let with_cookie = async |path: &str| {
        let request = Request::get(path).header("Cookie", cookie);
        send(&server.router, request.body(Body::empty()).expect("a request")).await
    };
    // Pages of jobs are of the same origin: a job must not act as an administrator who looks at its page.
    assert_eq!(with_cookie("/api/v1/users/validate_user_auth").await.status, 401);
    // This job has no process: the call was allowed.
    assert_eq!(with_cookie("/pub/job/adder/1.0.0/").await.status, 502);
    let in_cookie = cookie.strip_prefix("X-Racetrack-Auth=").expect("is the token");
    let refused = server.get(in_cookie, "/users/validate_user_auth").await.error();
    assert_eq!(refused, (401, "Unauthenticated: invalid token: it is for calls of jobs only".to_owned()));
    let call = server.call(in_cookie, Method::GET, "/pub/job/adder/1.0.0/").await;
    assert_eq!(call.status, 502, "the token is good for calls, wherever it is shown");

    let answer = server.get("", "/users/logout").await;
    assert_eq!(answer.ok(), Value::Null);
    assert_eq!(answer.cookie(), "X-Racetrack-Auth=; Path=/pub; HttpOnly; SameSite=Lax; Max-Age=0");
}

#[tokio::test]
async fn tokens_of_a_login_expire_where_they_have_a_lifetime() {
    let settings = LifecycleSettings {
        user_token_lifetime: Some(Span(Duration::from_hours(1))),
        external_lifecycle_url: Some("https://example.com/lifecycle".parse().expect("is a URL")),
        ..settings()
    };
    let server = Server::start_with(settings).await;
    let [first, second] = [server.login("admin", PASSWORD).await, server.login("admin", PASSWORD).await];
    assert_ne!(first.json()["token"], second.json()["token"]);
    let cookie = first.cookie();
    let age = cookie.strip_suffix("; Secure").and_then(|cookie| cookie.rsplit_once("; Max-Age="));
    // A second may begin between the two, and more on a busy machine.
    let age: u32 = age.expect("ends with its lifetime").1.parse().expect("is a number");
    assert!((3540..=3600).contains(&age), "{cookie}");
    let tokens = server.app.store.tokens_of(&Subject::user("admin")).await.expect("are there");
    let lifetimes: Vec<_> =
        tokens.iter().filter_map(|token| Some(token.expiry_time? - token.create_time)).collect();
    assert_eq!(lifetimes.len(), 2);
    assert!(lifetimes.iter().all(|seconds| (3540..=3601).contains(seconds)), "{lifetimes:?}");
}

#[tokio::test]
async fn a_login_does_not_tell_which_users_there_are() {
    let server = Server::start().await;
    let wrong = server.login("admin", "wrong password").await;
    assert_eq!(wrong.error(), (401, "Unauthenticated: the username or the password is wrong".to_owned()));
    assert!(!wrong.headers.contains_key("set-cookie"));
    for (username, password) in [("nobody", PASSWORD), ("", ""), ("admin", ""), ("ADMIN", PASSWORD)] {
        let answer = server.login(username, password).await;
        assert_eq!(answer.error(), wrong.error(), "{username} {password}");
    }
}

#[tokio::test]
async fn a_new_password_ends_every_token() {
    let server = Server::start().await;
    let token = server.login("admin", PASSWORD).await.ok()["token"].as_str().expect("is a text").to_owned();
    let change = |old: &str, new: &str| json!({ "old_password": old, "new_password": new });
    let wrong = server.put(&token, "/users/change_password", &change("wrong", "new password")).await;
    assert_eq!(wrong.error(), (401, "Unauthorized: the old password is wrong".to_owned()));
    let short = server.put(&token, "/users/change_password", &change(PASSWORD, "short")).await;
    assert_eq!(short.error(), (400, "a password has 8 characters at least".to_owned()));
    assert_eq!(server.get(&token, "/users/validate_user_auth").await.status, 200);

    let changed = server.put(&token, "/users/change_password", &change(PASSWORD, "new password")).await;
    assert_eq!(changed.ok(), Value::Null);
    let stolen = server.get(&token, "/users/validate_user_auth").await;
    let reason = "Unauthenticated: invalid token: it is unknown, or was revoked";
    assert_eq!(stolen.error(), (401, reason.to_owned()));
    assert_eq!(server.login("admin", PASSWORD).await.status, 401);
    let token = server.login("admin", "new password").await.ok()["token"].clone();
    assert_eq!(server.get(token.as_str().expect("is a text"), "/users/validate_user_auth").await.status, 200);
    let (cookie, _) = changed.cookie().split_once(';').expect("has attributes");
    let in_cookie = cookie.strip_prefix("X-Racetrack-Auth=").expect("is the token");
    let call = server.call(in_cookie, Method::GET, "/pub/job/adder/1.0.0/").await;
    assert_eq!(call.status, 502, "the browser that asked for it goes on to call jobs");
}

#[tokio::test]
async fn administrators_see_and_change_users() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let bob = server.user("bob", &[]).await;
    let users = server.get(&admin, "/users").await.ok();
    let bob_as_listed = json!({
        "username": "bob", "is_active": true, "is_staff": false, "create_time": 0, "last_login_time": null,
    });
    assert_eq!(users[1], bob_as_listed);
    assert_eq!((users.as_array().map(Vec::len), &users[0]["is_staff"]), (Some(2), &json!(true)));

    assert_eq!(server.get(&bob, "/users").await.status, 401);
    server.put(&admin, "/users/bob", &json!({ "is_active": true, "is_staff": true })).await.ok();
    assert_eq!(server.get(&bob, "/users").await.status, 200);
    server.put(&admin, "/users/bob", &json!({ "is_active": false, "is_staff": true })).await.ok();
    let refused = server.get(&bob, "/users").await;
    let reason = "Unauthenticated: invalid token: its user is not active";
    assert_eq!(refused.error(), (401, reason.to_owned()));
    assert_eq!(server.delete(&admin, "/users/bob").await.ok(), Value::Null);
    assert_eq!(server.delete(&admin, "/users/bob").await.error(), (404, "No user named bob".to_owned()));
}

#[tokio::test]
async fn there_is_always_an_administrator() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let oneself = server.delete(&admin, "/users/admin").await;
    let reason = "you cannot delete yourself; another administrator can";
    assert_eq!(oneself.error(), (400, reason.to_owned()));
    for flags in
        [json!({ "is_active": true, "is_staff": false }), json!({ "is_active": false, "is_staff": true })]
    {
        let refused = server.put(&admin, "/users/admin", &flags).await;
        assert_eq!(refused.error(), (409, "User admin is the last active administrator".to_owned()));
    }
    server.user("bob", &[]).await;
    server.put(&admin, "/users/bob", &json!({ "is_active": true, "is_staff": true })).await.ok();
    server.put(&admin, "/users/admin", &json!({ "is_active": true, "is_staff": false })).await.ok();
    assert_eq!(server.get(&admin, "/users").await.status, 401);
}

#[tokio::test]
async fn mistakes_are_told() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let wrong = "the body of the request is wrong: ";
    let cases = [
        ("", Method::POST, "/users/login", json!({ "username": "bob" }), "missing field `password`"),
        ("", Method::POST, "/users/login", json!([1]), "invalid type: sequence, expected an object"),
        ("", Method::POST, "/users/login", Value::Null, "EOF while parsing a value"),
        (
            "",
            Method::POST,
            "/users/register",
            json!({ "username": 7, "password": "" }),
            "username: invalid type",
        ),
        (&admin, Method::PUT, "/users/bob", json!({ "is_active": true }), "missing field `is_staff`"),
        (&admin, Method::PUT, "/users/change_password", json!({}), "missing field `old_password`"),
    ];
    for (token, method, path, body, expected) in cases {
        let (status, text) = server.send(token, method, path, &body).await.error();
        assert!(status == 400 && text.starts_with(wrong) && text.contains(expected), "{path} {body}: {text}");
    }
    for (username, password, expected) in [
        ("bob the builder", PASSWORD, "a username may have letters of the English alphabet"),
        ("", PASSWORD, "a username has to have a character at least"),
        ("-bob", PASSWORD, "a username has to begin with a letter or a digit"),
        ("login", PASSWORD, "a username is an address of the API"),
        ("bob", "short", "a password has 8 characters at least"),
    ] {
        let (status, text) =
            server.post("", "/users/register", &credentials(username, password)).await.error();
        assert!(status == 400 && text.starts_with(expected), "{username}: {text}");
    }
    assert_eq!(server.app.store.users().await.expect("are there").len(), 1);
}

#[tokio::test]
async fn nobody_is_a_user_where_nobody_is_asked() {
    let server = Server::start_with(LifecycleSettings { auth_required: Some(false), ..settings() }).await;
    for path in ["/users/validate_user_auth", "/audit/user_events"] {
        let (status, text) = server.get("", path).await.error();
        assert!(status == 400 && text.contains("auth-required"), "{path}: {text}");
    }
}

/// A peer of an address that is nobody else's.
fn peer(number: u8) -> Peer {
    Peer([192, 0, 2, number].into())
}

async fn post_from(server: &Server, peer: Peer, path: &str, username: &str, password: &str) -> Answer {
    let request = Request::post(format!("/api/v1{path}")).extension(peer);
    let body = Body::from(credentials(username, password).to_string());
    send(&server.router, request.body(body).expect("a request")).await
}

async fn login_from(server: &Server, peer: Peer, username: &str, password: &str) -> Answer {
    post_from(server, peer, "/users/login", username, password).await
}

fn is_slowed(refused: &Answer) {
    let (status, text) = refused.error();
    assert!(status == 429 && text.starts_with("too many attempts with wrong passwords"), "{status}: {text}");
    let seconds =
        refused.headers["retry-after"].to_str().expect("is text").parse::<u64>().expect("is a number");
    assert!(seconds >= 1);
}

#[tokio::test]
async fn guessing_is_slowed_and_locks_nobody_out() {
    let server = Server::start().await;
    post_from(&server, peer(9), "/users/register", "bob", PASSWORD).await.ok();
    server
        .put(&server.admin().await, "/users/bob", &json!({ "is_active": true, "is_staff": false }))
        .await
        .ok();
    let admins = peer(1);
    login_from(&server, admins, "admin", PASSWORD).await.ok();

    for username in ["admin", "nobody"] {
        let guess = |number: u8| login_from(&server, peer(100 + number % 100), username, "wrong");
        let guesses = join_all((0..150).map(guess));
        let others = login_from(&server, peer(3), "bob", PASSWORD);
        let (guesses, others) = tokio::join!(guesses, others);
        others.ok();
        let (tried, refused): (Vec<_>, Vec<_>) = guesses.iter().partition(|answer| answer.status == 401);
        // More than 11 only where that takes seconds; how many then is a matter of unit tests.
        assert!((11..150).contains(&tried.len()), "{username}: {}", tried.len());
        refused.into_iter().for_each(is_slowed);
        // A right one is refused as well, unless it comes after the delay. Each round has a longer one.
        let mut right = None;
        for round in 0..20 {
            while guess(round).await.status == 401 {}
            let answer = login_from(&server, peer(20 + round), username, PASSWORD).await;
            if answer.status == 429 {
                right = Some(answer);
                break;
            }
        }
        is_slowed(&right.expect("is refused while others guess"));
    }
    login_from(&server, admins, "admin", PASSWORD).await.ok();
    while login_from(&server, peer(2), "admin", PASSWORD).await.status == 429 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    login_from(&server, peer(2), "admin", PASSWORD).await.ok();
}

#[tokio::test]
async fn the_old_password_is_not_guessed_with_a_token_either() {
    let server = Server::start().await;
    let token = server.admin().await;
    let change = json!({ "old_password": "wrong", "new_password": "new password" });
    let guesses = join_all((0..40).map(|_| server.put(&token, "/users/change_password", &change))).await;
    let (tried, refused): (Vec<_>, Vec<_>) = guesses.iter().partition(|answer| answer.status == 401);
    assert!((11..40).contains(&tried.len()), "{}", tried.len());
    refused.into_iter().for_each(is_slowed);
    server.login("admin", PASSWORD).await.ok();
}

#[tokio::test]
async fn accounts_are_not_made_without_end() {
    let server = Server::start().await;
    let register = |number: u32| {
        let server = &server;
        async move { post_from(server, peer(1), "/users/register", &format!("user{number}"), PASSWORD).await }
    };
    let mut made = 0;
    for number in 0..30 {
        let answer = register(number).await;
        match answer.status {
            200 => made += 1,
            status => {
                assert_eq!(status, 429, "{answer:?}");
                assert!(answer.headers.contains_key("retry-after"));
            }
        }
    }
    assert_eq!(made, 10);
    assert_eq!(server.app.store.users().await.expect("are there").len(), 11);
    post_from(&server, peer(2), "/users/register", "carol", PASSWORD).await.ok();
}

#[tokio::test]
async fn who_may_register_is_a_setting() {
    let with = |mode| Server::start_with(LifecycleSettings { registration: Some(mode), ..settings() });
    let server = with(Registration::Closed).await;
    let refused = server.post("", "/users/register", &credentials("bob", PASSWORD)).await;
    assert_eq!(refused.error(), (403, "nobody may register here (registration: closed)".to_owned()));
    assert_eq!(server.login("bob", PASSWORD).await.status, 401);
    let server = with(Registration::Open).await;
    server.post("", "/users/register", &credentials("bob", PASSWORD)).await.ok();
    server.login("bob", PASSWORD).await.ok();
}

#[tokio::test]
async fn no_user_looks_like_another() {
    let server = Server::start().await;
    for username in ["Admin", "ADMIN"] {
        let refused = server.post("", "/users/register", &credentials(username, "another password")).await;
        assert_eq!(refused.error(), (409, "User admin already exists".to_owned()));
    }
    for username in
        ["\u{ff41}dmin", "\u{430}dmin", "admin ", " admin", "admin\u{301}", "ad\u{200b}min", "admin\n"]
    {
        let refused = server.post("", "/users/register", &credentials(username, "another password")).await;
        assert_eq!(refused.status, 400, "{username:?}");
    }
}

#[tokio::test]
async fn credentials_are_short() {
    let server = Server::start().await;
    let token = server.admin().await;
    let long = "x".repeat(20 << 10);
    for path in ["/users/login", "/users/register"] {
        assert_eq!(server.post("", path, &credentials("admin", &long)).await.status, 413, "{path}");
    }
    let change = json!({ "old_password": long, "new_password": long });
    assert_eq!(server.put(&token, "/users/change_password", &change).await.status, 413);
}
