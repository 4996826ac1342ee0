//! Tokens that are replaced.

use racetrack_store::{Permission, Scope, Subject};
use serde_json::{Value, json};

use crate::harness::Server;

#[tokio::test]
async fn a_user_replaces_every_token_of_the_user() {
    let server = Server::start().await;
    let old = server.user("bob", &[]).await;
    let alice = server.user("alice", &[]).await;
    let answer = server.post(&old, "/auth/token/user/regenerate", &Value::Null).await;
    let new = answer.ok()["new_token"].as_str().expect("is a text").to_owned();
    assert!(answer.cookie().starts_with("X-Racetrack-Auth=") && !answer.cookie().contains(&new));
    for (token, status) in [(&old, 401), (&new, 200), (&alice, 200)] {
        assert_eq!(server.get(token, "/users/validate_user_auth").await.status, status);
    }
}

#[tokio::test]
async fn the_token_of_an_esc_is_the_one_it_has() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let token = server.esc("watcher", &[]).await;
    let shown = server.get(&admin, "/auth/token/esc/watcher").await.ok();
    assert_eq!(shown, json!({ "token": token }));
}

#[tokio::test]
async fn all_tokens_of_a_kind_are_replaced() {
    let server = Server::start().await;
    let esc = server.esc("watcher", &[Permission::everywhere(Scope::ReadJob)]).await;
    let family = Subject::job_family("adder");
    server.app.store.grant(&family, &[Permission::everywhere(Scope::ReadJob)]).await.expect("is granted");
    let job = server.token_of(&family).await;
    let user = server.user("bob", &[Permission::everywhere(Scope::ReadJob)]).await;
    let mut good = vec![("esc", esc), ("job_family", job), ("user/all", user)];
    while let Some((kind, token)) = good.first().cloned() {
        assert_eq!(server.get(&token, "/job").await.status, 200, "{kind}");
        let path = format!("/auth/token/{kind}/regenerate");
        let admin = server.admin().await;
        assert_eq!(server.post(&admin, &path, &Value::Null).await.ok(), Value::Null);
        assert_eq!(server.get(&token, "/job").await.status, 401, "{kind}");
        good.remove(0);
        for (kind, token) in &good {
            assert_eq!(server.get(token, "/job").await.status, 200, "{kind}");
        }
    }
}
