//! Users and ESCs.

use racetrack_store::{
    Conflict, NotFound, PasswordHash, Permission, Scope, Store, StoreError, Subject, TokenRefusal, User,
};

fn user(username: &str) -> User {
    User { is_active: true, ..User::new(username, PasswordHash::new("$argon2id$hunter2"), 1_600_000_000) }
}

pub(crate) async fn a_user_comes_with_permissions_and_a_token(store: Store) {
    let permissions = [Permission::everywhere(Scope::ReadJob), Permission::everywhere(Scope::CallJob)];
    store.create_user(&user("bob"), &permissions).await.unwrap();
    assert_eq!(store.user("bob").await.unwrap(), user("bob"));
    let bob = Subject::user("bob");
    let access = store.access().await.unwrap();
    assert_eq!(access.permissions_of(&bob).len(), 2);
    let tokens = store.tokens_of(&bob).await.unwrap();
    assert_eq!(tokens.len(), 1);
    assert_eq!(access.authenticate(&tokens[0].seed, 0).unwrap().subject, bob);

    store.set_password_hash("bob", &PasswordHash::new("other")).await.unwrap();
    store.note_login("bob", 1_700_000_000).await.unwrap();
    store.set_user_flags("bob", true, true).await.unwrap();
    store.create_user(&User { is_staff: true, ..user("alice") }, &[]).await.unwrap();
    let changed = store.user("bob").await.unwrap();
    assert_eq!((changed.password_hash.expose(), changed.last_login_time), ("other", Some(1_700_000_000)));
    assert!(changed.is_staff && changed.is_active);

    store.set_user_flags("bob", true, false).await.unwrap();
    store.delete_user("bob").await.unwrap();
    let access = store.access().await.unwrap();
    assert!(access.permissions_of(&bob).is_empty() && access.tokens().all(|token| token.subject != bob));
    let refusals =
        [store.user("bob").await.map(drop), store.delete_user("bob").await, store.note_login("bob", 0).await];
    for refusal in refusals {
        let Err(StoreError::NotFound(what)) = refusal else { panic!("{refusal:?}") };
        assert_eq!(what, NotFound::User { username: "bob".to_owned() });
    }
}

pub(crate) async fn a_new_password_ends_every_token(store: Store) {
    let [bob, alice] = [Subject::user("bob"), Subject::user("alice")];
    for username in ["bob", "alice"] {
        store.create_user(&user(username), &[]).await.unwrap();
    }
    store.create_token(&bob, None).await.unwrap();
    assert_eq!(store.tokens_of(&bob).await.unwrap().len(), 2);
    store.set_password_hash("bob", &PasswordHash::new("other")).await.unwrap();
    assert_eq!(store.tokens_of(&bob).await.unwrap(), []);
    assert_eq!(store.tokens_of(&alice).await.unwrap().len(), 1);
    let refused = store.set_password_hash("carol", &PasswordHash::new("other")).await.unwrap_err();
    let StoreError::NotFound(what) = refused else { panic!("{refused:?}") };
    assert_eq!(what, NotFound::User { username: "carol".to_owned() });
}

pub(crate) async fn the_last_active_administrator_stays(store: Store) {
    store.create_user(&User { is_staff: true, ..user("bob") }, &[]).await.unwrap();
    store.create_user(&User { is_staff: true, is_active: false, ..user("alice") }, &[]).await.unwrap();
    let outcomes = [
        store.delete_user("bob").await,
        store.set_user_flags("bob", true, false).await,
        store.set_user_flags("bob", false, true).await,
    ];
    for outcome in outcomes {
        let Err(StoreError::Conflict(what)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(what, Conflict::LastAdministrator { username: "bob".to_owned() });
    }
    assert!(store.user("bob").await.unwrap().is_staff);
    store.set_user_flags("alice", true, true).await.unwrap();
    store.delete_user("bob").await.unwrap();
    let refused = store.delete_user("bob").await.unwrap_err();
    assert!(matches!(refused, StoreError::NotFound(_)), "{refused:?}");
}

pub(crate) async fn an_inactive_user_is_not_let_in(store: Store) {
    store.create_user(&user("bob"), &[]).await.unwrap();
    let seed = store.tokens_of(&Subject::user("bob")).await.unwrap()[0].seed.clone();
    for is_active in [false, true] {
        store.set_user_flags("bob", is_active, false).await.unwrap();
        let access = store.access().await.unwrap();
        let outcome = access.authenticate(&seed, 0).map(|token| token.is_active);
        let expected = if is_active { Ok(true) } else { Err(TokenRefusal::SubjectInactive) };
        assert_eq!(outcome, expected);
    }
}

pub(crate) async fn two_users_of_one_name_conflict(store: Store) {
    store.create_user(&user("bob"), &[]).await.unwrap();
    let again = User { is_staff: true, ..user("bob") };
    let refused = store.create_user(&again, &[Permission::everywhere(Scope::FullAccess)]).await.unwrap_err();
    let StoreError::Conflict(what) = refused else { panic!("{refused:?}") };
    assert_eq!(what, Conflict::User { username: "bob".to_owned() });
    for alike in ["Bob", "BOB", "boB"] {
        let refused = store.create_user(&user(alike), &[]).await.unwrap_err();
        let StoreError::Conflict(what) = refused else { panic!("{refused:?}") };
        assert_eq!(what, Conflict::User { username: "bob".to_owned() }, "names the one there is");
    }
    assert!(!store.user("bob").await.unwrap().is_staff);
    assert!(store.access().await.unwrap().permissions_of(&Subject::user("bob")).is_empty());
    store.create_user(&user("alice"), &[]).await.unwrap();
    let names: Vec<String> = store.users().await.unwrap().into_iter().map(|user| user.username).collect();
    assert_eq!(names, ["alice", "bob"]);
}

pub(crate) async fn escs_come_and_go(store: Store) {
    let given = store.create_esc("watcher", Some("42")).await.unwrap();
    let minted = store.create_esc("watcher", None).await.unwrap();
    assert_eq!((given.id.as_str(), minted.id.len()), ("42", 36));
    let refused = store.create_esc("other", Some("42")).await.unwrap_err();
    let StoreError::Conflict(what) = refused else { panic!("{refused:?}") };
    assert_eq!(what, Conflict::Esc { id: "42".to_owned() });
    let mut expected = vec![given.clone(), minted];
    expected.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(store.escs().await.unwrap(), expected);
    assert_eq!(store.access().await.unwrap().esc_name("42"), Some("watcher"));
    let token = store.token_for(&Subject::esc("42")).await.unwrap();
    store.delete_esc("42").await.unwrap();
    let access = store.access().await.unwrap();
    assert_eq!(access.authenticate(&token.seed, 0), Err(TokenRefusal::Unknown));
    assert_eq!(access.esc_name("42"), None);
    let refused = store.delete_esc("42").await.unwrap_err();
    let StoreError::NotFound(what) = refused else { panic!("{refused:?}") };
    assert_eq!(what, NotFound::Esc { id: "42".to_owned() });
}
