//! The tables in memory, against the database they are made of.

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
