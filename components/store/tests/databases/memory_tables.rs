//! The tables in memory, against the database they are made of.

use std::collections::HashMap;
use std::sync::Arc;

use racetrack_core::JobStatus;
use racetrack_store::{Permission, Scope, Store, Subject};

use crate::jobs::job;

pub(crate) async fn a_change_is_seen_by_the_next_reader(store: Store) {
    store.save_job(&job("adder", "1.0.0"), &[]).await.unwrap();
    let before = store.jobs().await.unwrap();
    assert!(Arc::ptr_eq(&before, &store.jobs().await.unwrap()));
    store.grant(&Subject::job_family("adder"), &[Permission::everywhere(Scope::CallJob)]).await.unwrap();
    assert!(Arc::ptr_eq(&before, &store.jobs().await.unwrap()), "no job has changed");
    store.update_job("adder", "1.0.0", |record| record.job.status = JobStatus::Lost).await.unwrap();
    assert_eq!(store.jobs().await.unwrap().as_slice()[0].job.status, JobStatus::Lost);
    assert_eq!(before.as_slice()[0].job.status, JobStatus::Running);
}

pub(crate) async fn changes_are_counted_for_watchers(store: Store) {
    let mut changes = store.changes();
    assert!(!changes.has_changed().unwrap());
    store.set_maintenance(true).await.unwrap();
    store.claim_deployment(&crate::deployments::new_deployment("adder", "1.0.0")).await.unwrap();
    assert!(!changes.has_changed().unwrap());
    store.save_job(&job("adder", "1.0.0"), &[]).await.unwrap();
    changes.changed().await.unwrap();
    assert!(!store.update_job("adder", "1.0.0", |_| ()).await.unwrap());
    assert!(!changes.has_changed().unwrap());
    store.delete_job("adder", "1.0.0", None, 0).await.unwrap();
    changes.changed().await.unwrap();
}

/// Whoever writes may be dropped at any point, as the handler of a request is when its caller hangs up.
pub(crate) async fn a_dropped_write_leaves_memory_and_database_in_step(store: Store) {
    let mut written = 0;
    for patience in 0..60 {
        let version = format!("{patience}.0.0");
        let job = job("adder", &version);
        let write = async { store.save_job(&job, &[]).await.map(drop) };
        let hang_up = async {
            for _ in 0..patience {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            outcome = write => outcome.unwrap(),
            () = hang_up => {}
        }
        // A job that is there but not in memory would be found by this and not by the table.
        store.ensure_job_family("after").await.unwrap();
        let is_there = store.update_job("adder", &version, |_| ()).await.is_ok();
        assert_eq!(store.job("adder", &version).await.is_ok(), is_there, "hung up after {patience} turns");
        written += u32::from(is_there);
    }
    // The store works on, and the version that was given up can be written.
    store.save_job(&job("adder", "0.0.0"), &[]).await.unwrap();
    assert!(written < 60, "the impatient ones wrote nothing");
}

/// Each finds what it wrote as soon as that is done, and in the end memory has what the database has.
pub(crate) async fn writers_at_once_lose_nothing(store: Store) {
    store.save_job(&job("adder", "last"), &[]).await.unwrap();
    let writers = (0..60).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let version = format!("{number}.0.0");
            store.save_job(&job("adder", &version), &[]).await.unwrap();
            assert_eq!(store.job("adder", &version).await.unwrap().job.status, JobStatus::Running);
            if number % 3 == 0 {
                store.delete_job("adder", &version, None, 0).await.unwrap();
                store.job("adder", &version).await.unwrap_err();
            } else {
                store.update_job("adder", &version, |record| record.is_stale = true).await.unwrap();
                assert!(store.job("adder", &version).await.unwrap().is_stale);
            }
            // All want this one, and the last to write it must be the last in memory too.
            let call = |record: &mut racetrack_store::JobRecord| record.job.last_call_time = Some(number);
            assert!(store.update_job("adder", "last", call).await.unwrap());
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let fresh = Store::open(store.url()).await.unwrap();
    assert_eq!(store.jobs().await.unwrap().as_slice(), fresh.jobs().await.unwrap().as_slice());
    assert_eq!(fresh.jobs().await.unwrap().as_slice().len(), 41);
    fresh.close().await;
}

/// What another store writes is seen by reading again alone.
pub(crate) async fn uses_of_tokens_make_nothing_be_read_again(store: Store) {
    let subject = Subject::internal("pub");
    let token = store.create_token(&subject, None).await.unwrap();
    let held = store.access().await.unwrap();
    let other = Store::open(store.url()).await.unwrap();
    other.create_token(&subject, None).await.unwrap();
    other.close().await;
    store.note_token_uses(&HashMap::from([(token.id.clone(), 5)])).await.unwrap();
    let tokens = store.tokens_of(&subject).await.unwrap();
    assert_eq!((tokens.len(), tokens[0].last_use_time), (1, Some(5)));
    assert_eq!(held.authenticate(&token.seed, 0).unwrap().last_use_time, None);
    store.create_token(&subject, None).await.unwrap();
    assert_eq!(store.tokens_of(&subject).await.unwrap().len(), 3);
}

pub(crate) async fn a_job_deleted_by_somebody_else_is_noticed(store: Store) {
    for version in ["1.0.0", "2.0.0"] {
        store.save_job(&job("adder", version), &[]).await.unwrap();
    }
    store.jobs().await.unwrap();
    let other = Store::open(store.url()).await.unwrap();
    other.delete_job("adder", "2.0.0", None, 0).await.unwrap();
    other.close().await;
    let lose = |record: &mut racetrack_store::JobRecord| record.job.status = JobStatus::Lost;
    store.update_jobs(lose).await.unwrap_err();
    assert_eq!(store.job("adder", "1.0.0").await.unwrap().job.status, JobStatus::Running, "all or none");
    assert_eq!(store.update_jobs(lose).await.unwrap(), 1);
}
