//! The suite on SQLite, and what is SQLite's alone.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use racetrack_store::{DatabaseUrl, Store};

use crate::deployments::new_deployment;
use crate::{with_cases, with_reopening_cases};

macro_rules! in_memory {
    ($($module:ident::$case:ident),+ $(,)?) => {
        mod memory {
            use super::*;

            $(#[tokio::test]
            async fn $case() {
                crate::$module::$case(Store::open(&DatabaseUrl::memory()).await.unwrap()).await;
            })+
        }
    };
}

macro_rules! in_file {
    ($($module:ident::$case:ident),+ $(,)?) => {
        $(#[tokio::test]
        async fn $case() {
            let folder = tempfile::tempdir().unwrap();
            let url = DatabaseUrl::file(&folder.path().join("a b?#%.db"));
            crate::$module::$case(Store::open(&url).await.unwrap()).await;
        })+
    };
}

with_cases!(in_memory);

mod file {
    use super::*;

    with_cases!(in_file);
    with_reopening_cases!(in_file);
}

#[tokio::test]
async fn a_relative_path_is_relative_to_the_working_directory() {
    let url: DatabaseUrl = "sqlite:no/such/folder/racetrack.db".parse().unwrap();
    let error = Store::open(&url).await.unwrap_err();
    let expected = "cannot open the file of the database `sqlite:no/such/folder/racetrack.db`";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let notes = "remember the milk\n".repeat(1000);
    std::fs::write(&path, &notes).unwrap();
    let error = Store::open(&DatabaseUrl::file(&path)).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot open the database"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), notes);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_reads_the_files() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&DatabaseUrl::file(&folder.path().join("racetrack.db"))).await.unwrap();
    store.ensure_job_family("adder").await.unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() > 1, "the write-ahead log is a file of its own: {files:?}");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

/// On one thread, a write is in memory before another can begin.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_on_many_threads_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::file(&folder.path().join("racetrack.db"));
    crate::memory_tables::writers_at_once_lose_nothing(Store::open(&url).await.unwrap()).await;
}

const WRITER: &str = "RACETRACK_STORE_TEST_WRITER";

/// Runs itself as another process that claims versions and says so, and kills that in the middle.
#[test]
fn what_was_acknowledged_survives_a_kill() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(path) = std::env::var_os(WRITER) {
        runtime.block_on(claim_until_killed(Path::new(&path)));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("racetrack.db");
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sqlite::what_was_acknowledged_survives_a_kill", "--nocapture"])
        .env(WRITER, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut claimed: Vec<String> = lines.by_ref().filter_map(claimed_id).take(25).collect();
    writer.kill().unwrap();
    claimed.extend(lines.filter_map(claimed_id));
    writer.wait().unwrap();
    runtime.block_on(async {
        let store = Store::open(&DatabaseUrl::file(&path)).await.unwrap();
        for id in &claimed {
            store.deployment(id).await.unwrap();
        }
        assert!(store.deployments_in_progress().await.unwrap().len() >= 25);
        store.claim_deployment(&new_deployment("after", "1.0.0")).await.unwrap();
    });
}

/// Lines torn by the kill, and those of the test harness, are no ids.
fn claimed_id(line: impl AsRef<str>) -> Option<String> {
    line.as_ref().strip_prefix("claimed ").filter(|id| id.len() == 36).map(str::to_owned)
}

async fn claim_until_killed(path: &Path) {
    let store = Store::open(&DatabaseUrl::file(path)).await.unwrap();
    // The first line follows what the test harness has written of its own.
    say("\n");
    for number in 0..1_000_000 {
        let version = format!("{number}.0.0");
        let deployment = store.claim_deployment(&new_deployment("adder", &version)).await.unwrap();
        say(&format!("claimed {}\n", deployment.id));
    }
}

/// Past the test harness, which keeps what is printed.
fn say(text: &str) {
    std::io::stdout().write_all(text.as_bytes()).unwrap();
}
