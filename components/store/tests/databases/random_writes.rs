//! Writes in any order, after each of which memory has what the database has.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use racetrack_store::{JobRecord, Store, Subject, Token};
use tokio::runtime::Handle;

use crate::jobs::job;

const NAMES: [&str; 3] = ["adder", "adder-2", "primer"];
/// One that is none, and two that are equal by their numbers, among them.
const VERSIONS: [&str; 5] = ["1.9.0", "1.10.0", "1.10.0-rc1", "01.9.0", "odd"];

type Key = (&'static str, &'static str);

#[derive(Clone, Debug)]
enum Write {
    Save(Key, Option<String>),
    /// Deletes and forgets in turns.
    Remove(Key, bool),
    Update(Key, Option<String>),
    /// Those of one version.
    UpdateAll(&'static str, Option<String>),
    Token(&'static str),
    TokenUses(i64),
}

pub(crate) async fn memory_has_what_the_database_has(store: Store) {
    for name in NAMES {
        store.ensure_job_family(name).await.unwrap();
    }
    let runtime = Handle::current();
    let checked = tokio::task::spawn_blocking(move || {
        let config = ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() };
        let writes = proptest::collection::vec((write(), any::<bool>()), 1..24);
        TestRunner::new(config).run(&writes, |writes| {
            runtime.block_on(check(&store, &writes));
            Ok(())
        })
    });
    checked.await.unwrap().unwrap();
}

fn write() -> impl Strategy<Value = Write> {
    let key = || (prop::sample::select(&NAMES[..]), prop::sample::select(&VERSIONS[..]));
    // The first is a text that is kept in another form, and the last is what jobs have at first.
    let error = || prop::sample::select(vec![Some("NUL: \0".to_owned()), Some("lost".to_owned()), None]);
    prop_oneof![
        4 => (key(), error()).prop_map(|(key, error)| Write::Save(key, error)),
        2 => (key(), any::<bool>()).prop_map(|(key, is_forgotten)| Write::Remove(key, is_forgotten)),
        3 => (key(), error()).prop_map(|(key, error)| Write::Update(key, error)),
        2 => (key(), error()).prop_map(|((_, version), error)| Write::UpdateAll(version, error)),
        1 => key().prop_map(|(name, _)| Write::Token(name)),
        1 => any::<i64>().prop_map(Write::TokenUses),
    ]
}

/// Makes the writes one after the other, with or without somebody who holds the tables meanwhile.
async fn check(store: &Store, writes: &[(Write, bool)]) {
    for row in store.jobs().await.unwrap().as_slice() {
        store.forget_job(&row.job.name, &row.job.version).await.unwrap();
    }
    for (write, is_held) in writes {
        let before = store.jobs().await.unwrap().as_slice().to_vec();
        let held =
            if *is_held { Some((store.jobs().await.unwrap(), store.access().await.unwrap())) } else { None };
        let changes = store.changes();
        let count = *changes.borrow();

        let touched = make(store, write).await;

        assert_eq!(*changes.borrow() - count, u64::from(!touched.is_empty()), "ticks");
        let after = store.jobs().await.unwrap();
        let fresh = Store::open(store.url()).await.unwrap();
        assert_eq!(after.as_slice(), fresh.jobs().await.unwrap().as_slice());
        assert_eq!(tokens(store).await, tokens(&fresh).await);
        fresh.close().await;
        for row in before.iter().filter(|row| !touched.contains(&key_of(row))) {
            let now = after.get(&row.job.name, &row.job.version).unwrap();
            assert!(Arc::ptr_eq(row, now), "{} {} was not touched", row.job.name, row.job.version);
        }
        if let Some((jobs, _)) = held {
            assert!(jobs.as_slice().iter().map(Arc::as_ptr).eq(before.iter().map(Arc::as_ptr)), "it is held");
        }
    }
}

/// Makes a write, and gives the jobs it changed, saved or removed.
async fn make(store: &Store, write: &Write) -> BTreeSet<(String, String)> {
    let mut touched = BTreeSet::new();
    let mut set_error = |record: &mut JobRecord, error: &Option<String>| {
        if record.job.error != *error {
            touched.insert(key_of(record));
            record.job.error.clone_from(error);
        }
    };
    match write {
        Write::Save((name, version), error) => {
            let mut job = job(name, version);
            job.error.clone_from(error);
            let saved = store.save_job(&job, &["image".to_owned()]).await.unwrap();
            touched.insert(key_of(&saved));
        }
        Write::Remove((name, version), is_forgotten) => {
            let removed = if *is_forgotten {
                store.forget_job(name, version).await
            } else {
                store.delete_job(name, version, Some("bob"), 1).await
            };
            touched.extend(removed.is_ok().then(|| ((*name).to_owned(), (*version).to_owned())));
        }
        Write::Update((name, version), error) => {
            let is_there = store.job(name, version).await.is_ok();
            let updated = store.update_job(name, version, |record| set_error(record, error)).await;
            assert_eq!(updated.ok(), is_there.then_some(!touched.is_empty()));
        }
        Write::UpdateAll(version, error) => {
            let set_some = |record: &mut JobRecord| {
                if record.job.version == *version {
                    set_error(record, error);
                }
            };
            assert_eq!(store.update_jobs(set_some).await.unwrap(), touched.len());
        }
        Write::Token(name) => {
            store.create_token(&Subject::job_family(name), None).await.unwrap();
        }
        Write::TokenUses(time) => {
            // Of some that are there, and one that is not.
            let ids = tokens(store).await.into_keys().step_by(2).chain(["gone".to_owned()]);
            store.note_token_uses(&ids.map(|id| (id, *time)).collect::<HashMap<_, _>>()).await.unwrap();
        }
    }
    touched
}

fn key_of(record: &JobRecord) -> (String, String) {
    (record.job.name.clone(), record.job.version.clone())
}

async fn tokens(store: &Store) -> BTreeMap<String, Token> {
    let access = store.access().await.unwrap();
    let tokens = access.tokens();
    tokens.map(|token| (token.id.clone(), token.clone())).collect()
}
