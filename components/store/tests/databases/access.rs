//! Tokens, permissions and public endpoints.

use std::collections::HashMap;

use racetrack_store::{
    AccessRequest, JobKey, NotFound, PasswordHash, Permission, Scope, Store, StoreError, Subject,
    SubjectKind, Token, TokenRefusal, User, may,
};

use crate::jobs::job;

fn not_found<T: std::fmt::Debug>(result: Result<T, StoreError>) -> NotFound {
    match result {
        Err(StoreError::NotFound(what)) => what,
        other => panic!("expected not-found, got {other:?}"),
    }
}

pub(crate) async fn tokens_are_found_by_seed_until_revoked(store: Store) {
    let esc = Subject::esc(&store.create_esc("bob", None).await.unwrap().id);
    let lasting = store.token_for(&esc).await.unwrap();
    assert_eq!(store.token_for(&esc).await.unwrap(), lasting);
    let expiring = store.create_token(&esc, Some(2_000_000_000)).await.unwrap();
    assert_ne!(expiring.seed, lasting.seed);
    let access = store.access().await.unwrap();
    assert_eq!(access.authenticate(&lasting.seed, i64::MAX).unwrap().subject, esc);
    assert_eq!(access.authenticate(&expiring.seed, 1_999_999_999).unwrap(), &expiring);
    assert_eq!(access.authenticate(&expiring.seed, 2_000_000_000), Err(TokenRefusal::Expired));
    assert_eq!(access.authenticate("guess", 0), Err(TokenRefusal::Unknown));
    let shown = format!("{access:?}");
    assert!(shown.contains(&lasting.id) && !shown.contains(&lasting.seed), "{shown}");

    let other = Subject::internal("image-builder");
    let missing = NotFound::Token { id: lasting.id.clone() };
    assert_eq!(not_found(store.revoke_token(&other, &lasting.id).await), missing);
    store.revoke_token(&esc, &lasting.id).await.unwrap();
    assert_eq!(not_found(store.revoke_token(&esc, &lasting.id).await), missing);
    let access = store.access().await.unwrap();
    assert_eq!(access.authenticate(&lasting.seed, 0), Err(TokenRefusal::Unknown));
    assert_eq!(store.tokens_of(&esc).await.unwrap(), [expiring]);
}

pub(crate) async fn tokens_are_forgotten_long_after_they_expired(store: Store) {
    const DAY: i64 = 24 * 60 * 60;
    let subject = Subject::internal("pub");
    let now = store.create_token(&subject, None).await.unwrap().create_time;
    for days in [-8, -6, 1] {
        store.create_token(&subject, Some(now + days * DAY)).await.unwrap();
    }
    let expiries = |tokens: Vec<Token>| tokens.into_iter().filter_map(|token| token.expiry_time).collect();
    let mut kept: Vec<i64> = expiries(store.tokens_of(&subject).await.unwrap());
    kept.sort_unstable();
    assert_eq!(kept, [now - 6 * DAY, now + DAY]);
}

pub(crate) async fn tokens_are_replaced(store: Store) {
    let [adder, primer] = [Subject::job_family("adder"), Subject::job_family("primer")];
    for family in [&adder, &primer] {
        store.ensure_job_family(&family.name).await.unwrap();
        store.create_token(family, None).await.unwrap();
    }
    store.create_token(&adder, None).await.unwrap();
    let old = store.tokens_of(&adder).await.unwrap();
    let new = store.replace_tokens(&adder, Some(5)).await.unwrap();
    assert_eq!((old.len(), new.expiry_time), (2, Some(5)));
    assert_eq!(store.tokens_of(&adder).await.unwrap(), [new]);
    let untouched = store.create_token(&Subject::internal("pub"), None).await.unwrap();
    let before = [store.tokens_of(&adder).await.unwrap(), store.tokens_of(&primer).await.unwrap()].concat();
    assert_eq!(store.replace_all_tokens(SubjectKind::JobFamily).await.unwrap(), 2);
    let after = [store.tokens_of(&adder).await.unwrap(), store.tokens_of(&primer).await.unwrap()].concat();
    assert_eq!((before.len(), after.len()), (2, 2));
    assert!(after.iter().all(|token| before.iter().all(|old| old.seed != token.seed)));
    assert_eq!(store.tokens_of(&untouched.subject).await.unwrap(), [untouched]);
}

pub(crate) async fn uses_of_tokens_are_noted(store: Store) {
    let subject = Subject::internal("pub");
    let token = store.create_token(&subject, None).await.unwrap();
    let uses = HashMap::from([(token.id.clone(), 1_700_000_000), ("gone".to_owned(), 1)]);
    store.note_token_uses(&uses).await.unwrap();
    assert_eq!(store.tokens_of(&subject).await.unwrap()[0].last_use_time, Some(1_700_000_000));
}

pub(crate) async fn permissions_are_granted_once_and_revoked(store: Store) {
    store.save_job(&job("adder", "1.0.0"), &[]).await.unwrap();
    let subject = Subject::job_family("adder");
    let at_endpoint = Permission {
        endpoint: Some("/sum".to_owned()),
        ..Permission::for_job(Scope::CallJob, "adder", "1.0.0")
    };
    let granted = [
        at_endpoint,
        Permission::for_job(Scope::ReadJob, "adder", "1.0.0"),
        Permission::for_family(Scope::ReadJob, "adder"),
        Permission::everywhere(Scope::ReadJob),
    ];
    for _ in 0..2 {
        store.grant(&subject, &granted).await.unwrap();
    }
    let access = store.access().await.unwrap();
    let permissions = access.permissions_of(&subject);
    assert!(permissions.iter().eq(granted.iter().rev()), "each once, the broad ones first: {permissions:?}");
    assert!(may(permissions, &AccessRequest::endpoint(Scope::CallJob, "adder", "1.0.0", "/sum/")));
    assert!(!may(permissions, &AccessRequest::job(Scope::CallJob, "adder", "1.0.0")));

    for permission in &granted {
        assert!(store.revoke(&subject, permission).await.unwrap());
        assert!(!store.revoke(&subject, permission).await.unwrap());
    }
    let access = store.access().await.unwrap();
    assert!(access.permissions_of(&subject).is_empty());
    assert_eq!(access.permissions().count(), 0);
}

pub(crate) async fn permissions_need_what_they_refer_to(store: Store) {
    let everything = [Permission::everywhere(Scope::FullAccess)];
    let refusals = [
        (Subject::user("bob"), NotFound::User { username: "bob".to_owned() }),
        (Subject::esc("7"), NotFound::Esc { id: "7".to_owned() }),
        (Subject::job_family("adder"), NotFound::JobFamily { name: "adder".to_owned() }),
    ];
    for (subject, expected) in refusals {
        assert_eq!(not_found(store.grant(&subject, &everything).await), expected);
        assert_eq!(not_found(store.create_token(&subject, None).await), expected);
    }
    let subject = Subject::internal("pub");
    let to_family = Permission::for_family(Scope::ReadJob, "adder");
    let mixed = [everything[0].clone(), to_family];
    let no_family = NotFound::JobFamily { name: "adder".to_owned() };
    assert_eq!(not_found(store.grant(&subject, &mixed).await), no_family);
    let JobKey { name, version } = JobKey { name: "adder".to_owned(), version: "1.0.0".to_owned() };
    let to_job = [everything[0].clone(), Permission::for_job(Scope::ReadJob, &name, &version)];
    assert_eq!(not_found(store.grant(&subject, &to_job).await), NotFound::JobVersion { name, version });
    assert_eq!(store.access().await.unwrap().permissions().count(), 0, "all permissions of a call or none");
}

pub(crate) async fn public_endpoints_open_when_an_administrator_says_so(store: Store) {
    store.save_job(&job("adder", "1.0.0"), &[]).await.unwrap();
    let endpoints = ["/b".to_owned(), "/a".to_owned()];
    store.request_public_endpoints("adder", "1.0.0", &endpoints).await.unwrap();
    assert!(!store.access().await.unwrap().is_public("adder", "1.0.0", "/a"));
    store.set_public_endpoint("adder", "1.0.0", "/a", true).await.unwrap();
    store.request_public_endpoints("adder", "1.0.0", &endpoints).await.unwrap();
    let access = store.access().await.unwrap();
    assert!(access.is_public("adder", "1.0.0", "/a/deeper") && !access.is_public("adder", "1.0.0", "/b"));
    assert!(!access.is_public("adder", "1.0.1", "/a"));
    let listed = serde_json::to_value(access.public_endpoints("adder", "1.0.0")).unwrap();
    let expected = serde_json::json!([
        {"job_name": "adder", "job_version": "1.0.0", "endpoint": "/a", "active": true},
        {"job_name": "adder", "job_version": "1.0.0", "endpoint": "/b", "active": false},
    ]);
    assert_eq!(listed, expected);
    store.request_public_endpoints("adder", "1.0.0", &endpoints[..1]).await.unwrap();
    let access = store.access().await.unwrap();
    assert!(!access.is_public("adder", "1.0.0", "/a"), "its owner does not want it open any more");
    let (name, version) = ("adder".to_owned(), "1.0.0".to_owned());
    let missing = NotFound::PublicEndpoint { name, version, endpoint: "/c".to_owned() };
    assert_eq!(not_found(store.set_public_endpoint("adder", "1.0.0", "/c", true).await), missing);
    let (name, version) = ("adder".to_owned(), "2.0.0".to_owned());
    let missing = not_found(store.request_public_endpoints("adder", "2.0.0", &endpoints).await);
    assert_eq!(missing, NotFound::JobVersion { name, version });
}

pub(crate) async fn sessions_are_tokens_that_are_listed_and_ended(store: Store) {
    let user = User { is_active: true, ..User::new("bob", PasswordHash::new("$argon2id$1"), 0) };
    store.create_user(&user, &[]).await.unwrap();
    store.create_user(&User { username: "alice".to_owned(), ..user }, &[]).await.unwrap();
    let lasting = store.token_for(&Subject::user("bob")).await.unwrap();
    let first = store.create_session("bob", 2_000_000_000).await.unwrap();
    let second = store.create_session("bob", 2_000_000_001).await.unwrap();
    assert!(first.is_session && !lasting.is_session);
    let ids = |tokens: Vec<Token>| tokens.into_iter().map(|token| token.id).collect::<Vec<_>>();
    assert_eq!(ids(store.sessions_of("bob", 0).await.unwrap()).len(), 2);
    assert_eq!(ids(store.sessions_of("bob", 2_000_000_000).await.unwrap()), [second.id.as_str()]);
    assert_eq!(store.sessions_of("alice", 0).await.unwrap(), []);

    let missing = |id: &str| NotFound::Session { id: id.to_owned() };
    assert_eq!(not_found(store.end_session("alice", &first.id).await), missing(&first.id));
    assert_eq!(not_found(store.end_session("bob", &lasting.id).await), missing(&lasting.id));
    store.end_session("bob", &first.id).await.unwrap();
    assert_eq!(not_found(store.end_session("bob", &first.id).await), missing(&first.id));
    let access = store.access().await.unwrap();
    assert_eq!(access.authenticate(&first.seed, 0), Err(TokenRefusal::Unknown));
    assert_eq!(access.authenticate(&second.seed, 0).unwrap(), &second);

    store.revoke_token(&lasting.subject, &lasting.id).await.unwrap();
    let made = store.token_for(&lasting.subject).await.unwrap();
    assert!(!made.is_session && made.expiry_time.is_none(), "a session is not handed out as a lasting token");
    let only = store.replace_tokens_by_session("bob", 2_000_000_000).await.unwrap();
    assert_eq!(store.tokens_of(&lasting.subject).await.unwrap(), [only]);
}

pub(crate) async fn the_tokens_of_a_family_go_with_its_last_job(store: Store) {
    let families = ["adder", "primer"].map(Subject::job_family);
    for version in ["1.0.0", "2.0.0"] {
        store.save_job(&job("adder", version), &[]).await.unwrap();
        store.save_job(&job("primer", version), &[]).await.unwrap();
    }
    let mut tokens = Vec::new();
    for family in &families {
        tokens.push(store.token_for(family).await.unwrap());
    }
    let good = async || {
        let access = store.access().await.unwrap();
        tokens.iter().map(|token| access.authenticate(&token.seed, 0).is_ok()).collect::<Vec<_>>()
    };
    let mut changes = store.access_changes();
    store.note_token_uses(&HashMap::from([(tokens[0].id.clone(), 7)])).await.unwrap();
    assert!(!changes.has_changed().unwrap(), "that a token is used changes nobody's rights");
    store.delete_job("adder", "1.0.0", None, 0).await.unwrap();
    assert_eq!(good().await, [true, true]);
    changes.mark_unchanged();
    store.delete_job("adder", "2.0.0", None, 0).await.unwrap();
    assert_eq!(good().await, [false, true]);
    assert!(changes.has_changed().unwrap(), "whoever watches hears of it");
    store.forget_job("primer", "1.0.0").await.unwrap();
    store.forget_job("primer", "2.0.0").await.unwrap();
    assert_eq!(good().await, [false, false]);
}
