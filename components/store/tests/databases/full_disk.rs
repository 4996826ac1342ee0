//! A disk that is full, and has room again. A real one: a small file system in memory, in a mount namespace of its own.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use racetrack_store::{DatabaseUrl, Store};

use crate::jobs::job;

const FOLDER: &str = "RACETRACK_STORE_TEST_SMALL_DISK";

/// After room is made, the next write succeeds, and nothing that was acknowledged is lost. Meanwhile the check says why writes fail.
///
/// Runs itself as another process, for which a disk of 2 MiB is mounted.
#[test]
fn a_full_disk_ends_no_write_but_those_it_refuses() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(fill_and_empty(Path::new(&folder)));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-ec"])
        .arg("mount -t tmpfs -o size=2m tmpfs \"$1\"; shift; exec \"$@\"")
        .arg("sh")
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "full_disk::a_full_disk_ends_no_write_but_those_it_refuses", "--nocapture"])
        .env(FOLDER, folder.path())
        .status()
        .unwrap();
    assert!(status.success(), "on the small disk: {status}");
}

async fn fill_and_empty(folder: &Path) {
    let store =
        Store::open_alone(&DatabaseUrl::file(&folder.join("racetrack.db")), "the test").await.unwrap();
    store.save_job(&job("adder", "0.0.0"), &[]).await.unwrap();
    store.check_writes().await.unwrap();
    let mut acknowledged = vec!["0.0.0".to_owned()];
    for round in 1..=3 {
        let filler = folder.join("filler");
        let _full = std::fs::write(&filler, vec![0; 4 << 20]).unwrap_err();
        // What room the log of the database has left is used up, and then a write fails.
        let failure = loop {
            let version = format!("{round}.{}.0", acknowledged.len());
            match store.save_job(&job("adder", &version), &[]).await {
                Ok(_) => acknowledged.push(version),
                Err(error) => break racetrack_core::error::chain(&error),
            }
        };
        assert!(failure.contains("disk is full") || failure.contains("disk I/O"), "{failure}");
        let reason = until(&store, Result::is_err).await.unwrap_err();
        assert!(reason.starts_with("cannot "), "{reason}");

        std::fs::remove_file(&filler).unwrap();
        store.save_job(&job("adder", &format!("{round}.0.0")), &[]).await.unwrap();
        acknowledged.push(format!("{round}.0.0"));
        until(&store, Result::is_ok).await.unwrap();
    }
    store.close().await;
    drop(store);
    let again =
        Store::open_alone(&DatabaseUrl::file(&folder.join("racetrack.db")), "the test").await.unwrap();
    let mut kept: Vec<_> =
        again.jobs().await.unwrap().as_slice().iter().map(|record| record.job.version.clone()).collect();
    kept.sort();
    acknowledged.sort();
    assert_eq!(kept, acknowledged, "what was acknowledged, and nothing else");
}

/// Asks until the answer is the expected one. It has to be within five seconds; busy machines get more.
async fn until(store: &Store, is_expected: impl Fn(&Result<(), String>) -> bool) -> Result<(), String> {
    let started = Instant::now();
    loop {
        let outcome = store.check_writes().await.map_err(|error| racetrack_core::error::chain(&*error));
        if is_expected(&outcome) {
            return outcome;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "still {outcome:?}");
        tokio::task::yield_now().await;
    }
}
