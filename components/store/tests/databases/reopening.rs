//! What is still there when a database is opened again.

use racetrack_store::{PasswordHash, Permission, Scope, Store, Subject, User};

use crate::deployments::{has_won, new_deployment};
use crate::jobs::job;

pub(crate) async fn opening_again_keeps_everything(store: Store) {
    store.save_job(&job("adder", "1.0.0"), &["a".to_owned()]).await.unwrap();
    let user = User::new("bob", PasswordHash::new("x"), 1);
    store.create_user(&user, &[Permission::for_job(Scope::ReadJob, "adder", "1.0.0")]).await.unwrap();
    store.set_maintenance(true).await.unwrap();
    let deployment = store.claim_deployment(&new_deployment("adder", "1.0.0")).await.unwrap();
    let kept = store.job("adder", "1.0.0").await.unwrap();
    store.close().await;
    assert!(store.check_writes().await.is_err(), "it is closed");
    for _ in 0..2 {
        let again = Store::open(store.url()).await.unwrap();
        assert_eq!(again.job("adder", "1.0.0").await.unwrap(), kept);
        assert_eq!(again.user("bob").await.unwrap(), user);
        let access = again.access().await.unwrap();
        assert_eq!(access.permissions_of(&Subject::user("bob")).len(), 1);
        assert!(again.is_in_maintenance().await.unwrap());
        assert_eq!(again.deployments_in_progress().await.unwrap(), std::slice::from_ref(&deployment));
        assert!(!has_won(again.claim_deployment(&new_deployment("adder", "1.0.0")).await));
        again.close().await;
    }
}

pub(crate) async fn a_store_that_was_never_closed_opens_again(store: Store) {
    let url = store.url().clone();
    store.save_job(&job("adder", "1.0.0"), &[]).await.unwrap();
    // As after a kill: no connection is closed, and the write-ahead log stays where it is.
    let leaked = std::mem::ManuallyDrop::new(store);
    let again = Store::open(&url).await.unwrap();
    again.save_job(&job("adder", "2.0.0"), &[]).await.unwrap();
    let versions: Vec<String> =
        again.jobs().await.unwrap().as_slice().iter().map(|row| row.job.version.clone()).collect();
    assert_eq!(versions, ["1.0.0", "2.0.0"]);
    again.close().await;
    leaked.close().await;
}

/// One process writes, yet two may meet while one takes over from the other.
pub(crate) async fn claims_of_two_stores_have_one_winner(store: Store) {
    let other = Store::open(store.url()).await.unwrap();
    let claims = (0..50).map(|number| {
        let store = if number % 2 == 0 { store.clone() } else { other.clone() };
        tokio::spawn(async move { has_won(store.claim_deployment(&new_deployment("adder", "1.0.0")).await) })
    });
    let mut winners = 0;
    for claim in claims.collect::<Vec<_>>() {
        winners += u32::from(claim.await.unwrap());
    }
    assert_eq!((winners, other.deployments(100).await.unwrap().len()), (1, 1));
    other.close().await;
}
