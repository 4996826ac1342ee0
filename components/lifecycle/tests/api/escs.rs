//! ESCs and their tokens.

use racetrack_store::Permission;
use racetrack_store::Scope::ReadJob;
use serde_json::{Value, json};

use crate::harness::Server;

/// Far in the future, in seconds since 1970.
const FUTURE: i64 = 32_503_680_000;

#[tokio::test]
async fn escs_come_and_go() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let given = server.post(&admin, "/escs", &json!({ "name": "watcher", "id": "42" })).await.ok();
    assert_eq!(given, json!({ "name": "watcher", "id": "42" }));
    let made = server.post(&admin, "/escs", &json!({ "name": "builder" })).await.ok();
    assert_eq!(made["id"].as_str().map(str::len), Some(36));
    assert_eq!(server.get(&admin, "/escs").await.ok(), json!([made, given]));
    let again = server.post(&admin, "/escs", &json!({ "name": "other", "id": "42" })).await;
    assert_eq!(again.error(), (409, "ESC with ID 42 already exists".to_owned()));
    assert_eq!(server.delete(&admin, "/escs/42").await.ok(), Value::Null);
    assert_eq!(server.delete(&admin, "/escs/42").await.error(), (404, "No ESC with ID 42".to_owned()));
    assert_eq!(server.get(&admin, "/escs").await.ok(), json!([made]));
}

#[tokio::test]
async fn a_token_is_good_until_it_is_revoked() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let first = server.esc("watcher", &[Permission::everywhere(ReadJob)]).await;
    let made = server.post(&admin, "/escs/watcher/auth_token", &json!({ "expiry_time": FUTURE })).await.ok();
    let token = made["token"].as_str().expect("is a text");
    assert_eq!((&made["expiry_time"], &made["active"]), (&json!(FUTURE), &json!(true)));
    assert_eq!(server.get(token, "/job").await.status, 200);

    let data = server.get(&admin, "/escs/watcher/auth_data").await.ok();
    assert_eq!((&data["id"], &data["name"]), (&json!("watcher"), &json!("watcher")));
    let tokens = data["tokens"].as_array().expect("are there");
    assert_eq!(tokens.iter().map(|token| &token["token"]).collect::<Vec<_>>().len(), 2);
    assert!(tokens.contains(&made) && tokens.iter().any(|other| other["token"] == first));

    let id = made["id"].as_str().expect("is a text");
    let path = format!("/escs/watcher/auth_token/{id}");
    assert_eq!(server.delete(&admin, &path).await.ok(), Value::Null);
    assert_eq!(server.delete(&admin, &path).await.error(), (404, format!("No token with ID {id}")));
    assert_eq!(server.get(token, "/job").await.status, 401);
    assert_eq!(server.get(&first, "/job").await.status, 200);
    server.delete(&admin, "/escs/watcher").await.ok();
    assert_eq!(server.get(&first, "/job").await.status, 401);
}

#[tokio::test]
async fn a_token_need_not_expire() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.esc("watcher", &[]).await;
    for body in [Value::Null, json!({}), json!({ "expiry_time": null })] {
        let made = server.post(&admin, "/escs/watcher/auth_token", &body).await.ok();
        assert_eq!(made["expiry_time"], Value::Null, "{body}");
    }
}

#[tokio::test]
async fn mistakes_are_told() {
    let server = Server::start().await;
    let admin = server.admin().await;
    server.esc("watcher", &[]).await;
    for (path, body, expected) in [
        ("/escs", json!({}), "missing field `name`"),
        ("/escs", json!({ "name": " " }), "the name of an ESC has 200 characters at most"),
        ("/escs", json!({ "name": "a\nb" }), "the name of an ESC has 200 characters at most"),
        ("/escs", json!({ "name": "a", "id": "a/b" }), "the id of an ESC may have letters"),
        ("/escs/watcher/auth_token", json!({ "expiry": 7 }), "unknown field `expiry`"),
        ("/escs/watcher/auth_token", json!({ "expiry_time": "7" }), "expiry_time: invalid type"),
        ("/escs/watcher/auth_token", json!({ "expiry_time": 7 }), "the expiry_time 7 is over"),
    ] {
        let (status, text) = server.post(&admin, path, &body).await.error();
        assert!(status == 400 && text.contains(expected), "{path} {body}: {text}");
    }
    for path in ["/escs/nobody/auth_data", "/auth/token/esc/nobody"] {
        assert_eq!(server.get(&admin, path).await.error(), (404, "No ESC with ID nobody".to_owned()));
    }
    let missing = server.post(&admin, "/escs/nobody/auth_token", &Value::Null).await;
    assert_eq!(missing.error(), (404, "No ESC with ID nobody".to_owned()));
}
