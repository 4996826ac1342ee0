//! Jobs, families and deleted versions.

use std::collections::BTreeMap;

use racetrack_core::{Job, JobStatus};
use racetrack_store::{DeletedJob, NotFound, Permission, Scope, Store, StoreError, Subject};
use serde_json::json;

pub(crate) fn job(name: &str, version: &str) -> Job {
    Job::new(name, version, JobStatus::Running, 1_600_000_000)
}

fn full_job() -> Job {
    let mut job = job("adder", "1.0.0");
    job.status = JobStatus::Error;
    job.update_time = 1_600_000_100;
    job.manifest_yaml = Some("name: adder\nversion: 1.0.0\n".to_owned());
    job.internal_name = Some("127.0.0.1:7000".to_owned());
    job.pub_url = Some("http://127.0.0.1:7205/pub/job/adder/1.0.0".to_owned());
    job.error = Some("out of memory".to_owned());
    job.notice = Some("old".to_owned());
    job.image_tag = Some("2021-08-12T094058".to_owned());
    job.deployed_by = Some("bob".to_owned());
    job.last_call_time = Some(1_600_000_200);
    job.infrastructure_target = Some("process".to_owned());
    job.replica_internal_names = vec!["127.0.0.1:7000".to_owned(), "127.0.0.1:7001".to_owned()];
    job.job_type_version = Some("python3:2.4.0".to_owned());
    job.infrastructure_stats = BTreeMap::from([("memory".to_owned(), json!({"bytes": 1.5, "of": [null]}))]);
    job
}

fn not_found(error: StoreError) -> NotFound {
    match error {
        StoreError::NotFound(what) => what,
        other => panic!("expected not-found, got {other:?}"),
    }
}

pub(crate) async fn every_field_comes_back(store: Store) {
    let images = ["a".to_owned(), "b".to_owned()];
    let saved = store.save_job(&full_job(), &images).await.unwrap();
    assert_eq!((&saved.job, &saved.image_names[..], saved.is_stale), (&full_job(), &images[..], false));
    store.save_job(&job("bare", "1.0.0"), &[]).await.unwrap();
    assert_eq!(store.job("bare", "1.0.0").await.unwrap().job, job("bare", "1.0.0"));
    for status in [JobStatus::Starting, JobStatus::Running, JobStatus::Orphaned, JobStatus::Lost] {
        store.update_job("adder", "1.0.0", |record| record.job.status = status).await.unwrap();
        let mut expected = full_job();
        expected.status = status;
        assert_eq!(store.job("adder", "1.0.0").await.unwrap().job, expected);
    }
}

pub(crate) async fn hostile_texts_come_back(store: Store) {
    let name = "Robert'); DROP TABLE jobs;--\n\"x\" ☃ \u{202e}";
    let mut hostile = job(name, "1.0.0");
    hostile.error = Some("NUL: \0, quote: ', dollar: $1, percent: %s".to_owned());
    let saved = store.save_job(&hostile, &[]).await.unwrap();
    assert_eq!(saved.job.name, name);
    let kept = "NUL: \u{fffd}, quote: ', dollar: $1, percent: %s";
    assert_eq!(saved.job.error.as_deref(), Some(kept));
    let missing = not_found(store.job("a\0b", "1.0.0").await.unwrap_err());
    assert_eq!(missing, NotFound::JobName { name: "a\0b".to_owned() });
    store.update_job("a\0b", "1.0.0", |_| ()).await.unwrap_err();
    store.job_family("a\0b").await.unwrap_err();
}

pub(crate) async fn saving_again_keeps_id_and_create_time(store: Store) {
    let first = store.save_job(&full_job(), &["old".to_owned()]).await.unwrap();
    store.update_job("adder", "1.0.0", |record| record.is_stale = true).await.unwrap();
    assert!(store.job("adder", "1.0.0").await.unwrap().is_stale);
    let again =
        store.save_job(&Job::new("adder", "1.0.0", JobStatus::Running, 1_700_000_000), &[]).await.unwrap();
    assert_eq!(again.id, first.id);
    assert_eq!((again.job.create_time, again.job.update_time), (1_600_000_000, 1_700_000_000));
    assert_eq!((again.job.error.as_deref(), again.image_names.len(), again.is_stale), (None, 0, false));
    assert_eq!(store.jobs().await.unwrap().as_slice().len(), 1);
}

pub(crate) async fn updates_are_not_lost(store: Store) {
    store.save_job(&job("adder", "1.0.0"), &[]).await.unwrap();
    let updates = (0..40).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let count = |time: Option<i64>| Some(time.unwrap_or(0) + 1);
            let change = |record: &mut racetrack_store::JobRecord| {
                record.job.last_call_time = count(record.job.last_call_time);
            };
            store.update_job("adder", "1.0.0", change).await.unwrap()
        })
    });
    for update in updates.collect::<Vec<_>>() {
        assert!(update.await.unwrap());
    }
    assert_eq!(store.job("adder", "1.0.0").await.unwrap().job.last_call_time, Some(40));
    assert!(!store.update_job("adder", "1.0.0", |_| ()).await.unwrap());
    let missing = not_found(store.update_job("adder", "2.0.0", |_| ()).await.unwrap_err());
    let expected = NotFound::JobVersion { name: "adder".to_owned(), version: "2.0.0".to_owned() };
    assert_eq!(missing, expected);
}

pub(crate) async fn many_jobs_change_at_once(store: Store) {
    for number in 0..10 {
        store.save_job(&job("adder", &format!("{number}.0.0")), &[]).await.unwrap();
    }
    let lose_even = |record: &mut racetrack_store::JobRecord| {
        if record.job.version.as_bytes()[0].is_multiple_of(2) {
            record.job.status = JobStatus::Lost;
        }
    };
    assert_eq!(store.update_jobs(lose_even).await.unwrap(), 5);
    assert_eq!(store.update_jobs(lose_even).await.unwrap(), 0);
    let jobs = store.jobs().await.unwrap();
    let lost: Vec<&str> = jobs
        .as_slice()
        .iter()
        .filter(|row| row.job.status == JobStatus::Lost)
        .map(|row| row.job.version.as_str())
        .collect();
    assert_eq!(lost, ["0.0.0", "2.0.0", "4.0.0", "6.0.0", "8.0.0"]);
    assert_eq!(store.resolve_job("adder", "latest").await.unwrap().job.version, "9.0.0");
}

pub(crate) async fn deleting_takes_permissions_and_endpoints_along(store: Store) {
    let bob = Subject::job_family("bob");
    store.ensure_job_family("bob").await.unwrap();
    for version in ["1.0.0", "2.0.0"] {
        store.save_job(&job("adder", version), &[]).await.unwrap();
        store.grant(&bob, &[Permission::for_job(Scope::CallJob, "adder", version)]).await.unwrap();
        store.request_public_endpoints("adder", version, &["/sum".to_owned()]).await.unwrap();
    }
    store.delete_job("adder", "1.0.0", Some("alice"), 1_650_000_000).await.unwrap();
    let access = store.access().await.unwrap();
    assert_eq!(access.permissions_of(&bob), [Permission::for_job(Scope::CallJob, "adder", "2.0.0")]);
    assert!(access.public_endpoints("adder", "1.0.0").is_empty());
    assert_eq!(access.public_endpoints("adder", "2.0.0").len(), 1);
    let expected = NotFound::JobVersion { name: "adder".to_owned(), version: "1.0.0".to_owned() };
    assert_eq!(not_found(store.job("adder", "1.0.0").await.unwrap_err()), expected);
    assert_eq!(not_found(store.delete_job("adder", "1.0.0", None, 0).await.unwrap_err()), expected);
    let DeletedJob { deleted_by, delete_time, .. } =
        store.deleted_job("adder", "1.0.0").await.unwrap().unwrap();
    assert_eq!((deleted_by.as_deref(), delete_time), (Some("alice"), 1_650_000_000));
    store.save_job(&job("adder", "1.0.0"), &[]).await.unwrap();
    store.delete_job("adder", "1.0.0", None, 1_660_000_000).await.unwrap();
    let again = store.deleted_job("adder", "1.0.0").await.unwrap().unwrap();
    assert_eq!((again.deleted_by, again.delete_time), (None, 1_660_000_000));
}

pub(crate) async fn a_job_that_never_came_up_leaves_its_version_free(store: Store) {
    store.save_job(&job("adder", "1.0.0"), &[]).await.unwrap();
    store.forget_job("adder", "1.0.0").await.unwrap();
    assert_eq!(store.deleted_job("adder", "1.0.0").await.unwrap(), None);
    assert!(store.jobs().await.unwrap().as_slice().is_empty());
    let missing = not_found(store.forget_job("adder", "1.0.0").await.unwrap_err());
    assert_eq!(missing, NotFound::JobName { name: "adder".to_owned() });
}

pub(crate) async fn families_outlive_their_jobs(store: Store) {
    store.save_job(&job("primer", "1.0.0"), &[]).await.unwrap();
    let adder = store.ensure_job_family("adder").await.unwrap();
    assert_eq!(store.ensure_job_family("adder").await.unwrap(), adder);
    store.delete_job("primer", "1.0.0", None, 0).await.unwrap();
    let families = store.job_families().await.unwrap();
    let names: Vec<&str> = families.iter().map(|family| family.name.as_str()).collect();
    assert_eq!(names, ["adder", "primer"]);
    assert_eq!(store.job_family("primer").await.unwrap(), families[1]);
    let missing = not_found(store.job_family("none").await.unwrap_err());
    assert_eq!(missing, NotFound::JobFamily { name: "none".to_owned() });
}

pub(crate) async fn what_a_target_says_of_a_job_is_kept_in_part(store: Store) {
    let mut long = job("adder", "1.0.0");
    long.error = Some("é".repeat(2_000_000));
    long.notice = Some("n".repeat(4_000_000));
    long.infrastructure_stats.insert("x".to_owned(), "x".repeat(4_000_000).into());
    let saved = store.save_job(&long, &[]).await.unwrap();
    assert!(saved.job.infrastructure_stats.contains_key("left_out"));
    assert!(saved.job.error.as_ref().unwrap().len() <= 8192);
    assert!(saved.job.notice.as_ref().unwrap().contains("[… 399"));
    assert_eq!(*store.job("adder", "1.0.0").await.unwrap(), saved);
}
