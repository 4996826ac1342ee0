//! What happens to databases beside and below the store: other users of the file, other versions, damage, and callers
//! that go away.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use racetrack_core::error::chain;
use racetrack_store::{DatabaseUrl, Store};
use sqlx::Connection;

use crate::jobs::job;
use crate::postgres_server::PostgresServer;

/// How many jobs fill the pages of a database.
const JOBS: usize = 200;

/// A database of some size that nobody has open.
async fn database() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("racetrack.db");
    let store = Store::open(&DatabaseUrl::file(&path)).await.unwrap();
    fill(&store).await;
    store.close().await;
    (folder, path)
}

async fn fill(store: &Store) {
    for number in 0..JOBS {
        store.save_job(&job("adder", &format!("{number}.0.0")), &[]).await.unwrap();
    }
}

async fn connection(path: &Path) -> sqlx::AnyConnection {
    sqlx::any::install_default_drivers();
    sqlx::AnyConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap()
}

async fn run(path: &Path, statements: &'static str) {
    let mut connection = connection(path).await;
    sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Opens a database that is not what it was, and uses it.
async fn use_it(path: &Path) -> Result<usize, String> {
    let store = Store::open(&DatabaseUrl::file(path)).await.map_err(|error| chain(&error))?;
    let outcome = async {
        let jobs = store.jobs().await?.as_slice().len();
        store.save_job(&job("adder", "1000.0.0"), &[]).await?;
        Ok(jobs)
    };
    let outcome: Result<usize, racetrack_store::StoreError> = outcome.await;
    store.close().await;
    outcome.map_err(|error| chain(&error))
}

fn overwrite(path: &Path, position: u64, length: usize) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(position)).unwrap();
    file.write_all(&vec![0xa5; length]).unwrap();
}

#[tokio::test]
async fn another_schema_is_refused_with_its_reason_and_left_alone() {
    for (what, statements, reason) in [
        (
            "a newer one",
            "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) \
             VALUES (999, 'later', '2030-01-01', 1, x'00', 0)",
            "999",
        ),
        ("half of a migration", "UPDATE _sqlx_migrations SET success = 0 WHERE version = 3", "3"),
        (
            "a migration that was changed",
            "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 2",
            "2",
        ),
        ("a table that is not there", "DROP TABLE jobs", "no such table: jobs"),
        (
            "a column that is not there",
            "ALTER TABLE jobs RENAME COLUMN manifest_yaml TO other",
            "no column found",
        ),
        ("a table that is in the way", "DELETE FROM _sqlx_migrations WHERE version = 1", "already exists"),
    ] {
        let (_folder, path) = database().await;
        run(&path, statements).await;
        let refusal = use_it(&path).await.expect_err(what);
        assert!(refusal.contains(reason), "{what}: {refusal}");
        if !statements.contains("TABLE") {
            let mut connection = connection(&path).await;
            let count = "SELECT count(*) FROM jobs WHERE version = '1000.0.0'";
            let written: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await.unwrap();
            assert_eq!(written, 0, "{what}: written although refused");
        }
    }
}

#[tokio::test]
async fn damage_is_an_error_and_nothing_worse() {
    for what in ["header", "page 2", "middle", "end", "half is gone", "nothing but the header"] {
        let (_folder, path) = database().await;
        let size = fs::metadata(&path).unwrap().len();
        assert!(size > 20 * 4096, "{size}");
        let cut = |size: u64| fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(size).unwrap();
        match what {
            "header" => overwrite(&path, 0, 100),
            "page 2" => overwrite(&path, 4096, 4096),
            "middle" => (4096..size / 2).step_by(8192).for_each(|page| overwrite(&path, page, 4096)),
            "end" => (size / 4096 / 2..size / 4096).for_each(|page| overwrite(&path, page * 4096, 4096)),
            "half is gone" => cut(size / 2),
            _ => cut(100),
        }
        let damaged = fs::read(&path).unwrap();
        let refusal = use_it(&path).await.expect_err(what);
        assert!(
            ["malformed", "not a database", "disk I/O error", "file is not"]
                .iter()
                .any(|word| refusal.contains(word)),
            "{what}: {refusal}"
        );
        if what == "header" {
            assert_eq!(fs::read(&path).unwrap(), damaged, "{what}: it is left for whoever repairs it");
        }
    }
}

#[tokio::test]
async fn what_lies_beside_a_database_does_it_no_harm() {
    for (name, content) in [
        ("racetrack.db-wal", vec![0xa5; 100_000]),
        ("racetrack.db-wal", b"\x37\x7f\x06\x82 begins like a log".repeat(1000)),
        ("racetrack.db-shm", vec![0xa5; 32 * 1024]),
        ("racetrack.db-journal", vec![0xa5; 4096]),
    ] {
        let (folder, path) = database().await;
        fs::write(folder.path().join(name), content).unwrap();
        assert_eq!(use_it(&path).await, Ok(JOBS), "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    let refusal = use_it(folder.path()).await.expect_err("a folder is no database");
    assert!(refusal.starts_with("cannot open "), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_that_somebody_else_locks_is_waited_for() {
    let (_folder, path) = database().await;
    let store = Store::open(&DatabaseUrl::file(&path)).await.unwrap();
    for lock in ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"] {
        let mut other = connection(&path).await;
        sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
        let writing = tokio::spawn({
            let store = store.clone();
            async move { store.save_job(&job("waiting", "1.0.0"), &[]).await.map(drop) }
        });
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!writing.is_finished(), "{lock}: it waits");
        assert_eq!(store.jobs().await.unwrap().as_slice().len(), JOBS, "{lock}: reading goes on");
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        writing.await.unwrap().unwrap();
        store.delete_job("waiting", "1.0.0", None, 0).await.unwrap();
    }
}

/// A copy that was made while the store writes is a database of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_copy_that_is_made_amid_writes_is_whole() {
    let (folder, path) = database().await;
    let store = Store::open(&DatabaseUrl::file(&path)).await.unwrap();
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            for number in 0.. {
                store.save_job(&job("other", &format!("{number}.0.0")), &[]).await.unwrap();
            }
        }
    });
    for number in 0..3 {
        let copy = folder.path().join(format!("copy-{number}.db"));
        let mut other = connection(&path).await;
        sqlx::query("VACUUM INTO $1").bind(copy.to_str().unwrap()).execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        assert!(use_it(&copy).await.unwrap() >= JOBS);
    }
    writing.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn callers_that_go_away_amid_writes_leave_nothing_half_done() {
    let (_folder, path) = database().await;
    let store = Store::open(&DatabaseUrl::file(&path)).await.unwrap();
    let callers: Vec<_> = (0..600_u64)
        .map(|number| {
            let store = store.clone();
            let write =
                async move { store.save_job(&job("other", &format!("{number}.0.0")), &[]).await.is_ok() };
            // Some before they begin, some in line, some while they write.
            tokio::spawn(tokio::time::timeout(Duration::from_micros(number * 97 % 20_000), write))
        })
        .collect();
    let mut acknowledged = 0;
    for caller in callers {
        acknowledged += usize::from(matches!(caller.await.unwrap(), Ok(true)));
    }
    store.save_job(&job("other", "1000.0.0"), &[]).await.unwrap();
    let in_memory = store.jobs().await.unwrap().as_slice().len();
    store.close().await;
    assert!(in_memory > JOBS + acknowledged, "what was acknowledged is there");
    assert_eq!(use_it(&path).await, Ok(in_memory), "and memory was right");
}

/// One test, for it takes a server.
#[test]
fn a_server_that_goes_away_is_waited_for_and_used_again() {
    let mut server = PostgresServer::start();
    let url: DatabaseUrl = server.new_database("outages").parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let store = runtime.block_on(async {
        let store = Store::open(&url).await.unwrap();
        store.ensure_job_family("adder").await.unwrap();
        store
    });
    let families = || runtime.block_on(store.job_families()).map(|families| families.len());
    for round in 0..3 {
        // Every connection is ended, as by an administrator.
        server.run(
            "postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'outages'",
        );
        let written = succeeds_soon(|| runtime.block_on(store.ensure_job_family(&format!("ended-{round}"))));
        written.unwrap();
    }
    assert_eq!(families().unwrap(), 4);

    server.stop();
    let failure = runtime.block_on(store.ensure_job_family("lost")).expect_err("there is no server");
    assert!(!failure.is_refusal(), "{failure:?}");
    assert!(runtime.block_on(store.check_writes()).is_err(), "it says so");
    server.start_again();
    succeeds_soon(|| runtime.block_on(store.ensure_job_family("later"))).unwrap();
    succeeds_soon(|| runtime.block_on(store.check_writes())).unwrap();
    assert_eq!(families().unwrap(), 5, "what failed is not there");
    runtime.block_on(store.close());

    server.run("outages", "UPDATE _sqlx_migrations SET success = false WHERE version = 3");
    let refusal = runtime.block_on(Store::open(&url)).unwrap_err();
    assert!(chain(&refusal).contains('3'), "{}", chain(&refusal));
}

/// Connections that a server has closed are found to be closed when they are used.
fn succeeds_soon<T, E>(mut attempt: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let start = std::time::Instant::now();
    loop {
        match attempt() {
            Err(_) if start.elapsed() < Duration::from_mins(1) => {}
            outcome => return outcome,
        }
    }
}
