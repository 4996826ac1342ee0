//! A disk that is full, and has room again. A real one: a small file system in memory, in a mount namespace of its own.

use std::path::Path;
use std::process::Command;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::Value;
use tower::ServiceExt;

use crate::harness::{ImageBuilderUnderTest, request};

const FOLDER: &str = "RACETRACK_IMAGE_BUILDER_TEST_SMALL_DISK";

/// Builds fail with the reason and leave nothing, health reports it, and the next build succeeds when there is room again.
///
/// Runs itself as another process, for which a disk of 4 MiB is mounted where temporary folders are made.
#[test]
fn a_full_disk_fails_builds_and_leaves_nothing_half_made() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
        runtime.block_on(fill_and_empty(Path::new(&folder)));
        return;
    }
    let folder = tempfile::tempdir().expect("can be made");
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-ec"])
        .arg("mount -t tmpfs -o size=4m tmpfs \"$1\"; shift; exec \"$@\"")
        .arg("sh")
        .arg(folder.path())
        .arg(std::env::current_exe().expect("is known"))
        .args(["--exact", "full_disk::a_full_disk_fails_builds_and_leaves_nothing_half_made", "--nocapture"])
        .env(FOLDER, folder.path())
        .env("TMPDIR", folder.path())
        .status()
        .expect("unshare runs");
    assert!(status.success(), "on the small disk: {status}");
}

async fn fill_and_empty(folder: &Path) {
    let builder = ImageBuilderUnderTest::start().await;
    let (first, _) = builder.built(&request("writes:1.0.0")).await;
    assert_eq!(health(&builder).await.0, 200);
    for _ in 0..2 {
        let filler = folder.join("filler");
        let _full = std::fs::write(&filler, vec![0; 8 << 20]).expect_err("there is no room");
        // The file of its log is not whole, so this is not `failed`.
        let (_, result) = builder.build(&request("writes:1.0.0")).await;
        let error = result["error"].as_str().expect("has failed");
        builder.assert_clean();
        assert!(error.contains("No space left on device"), "{error}");
        assert_eq!(bundles(&builder), std::slice::from_ref(&first), "nothing half made");
        let details = loop {
            // An answer is good for a second.
            let (status, health) = health(&builder).await;
            if status == 500 {
                break health["details"].as_str().expect("is text").to_owned();
            }
        };
        assert!(details.starts_with("cannot write into the folder "), "{details}");
        assert!(details.ends_with("No space left on device (os error 28)"), "{details}");

        std::fs::remove_file(&filler).expect("is removed");
        let (again, _) = builder.built(&request("writes:1.0.0")).await;
        assert_eq!(again, first);
        while health(&builder).await.0 != 200 {}
    }
}

fn bundles(builder: &ImageBuilderUnderTest) -> Vec<std::path::PathBuf> {
    let folder = builder.folder.path().join("bundles").canonicalize().expect("is there");
    let entries = std::fs::read_dir(folder).expect("is there").map(|entry| entry.expect("is read").path());
    entries.filter(|path| !path.ends_with(".index")).collect()
}

async fn health(builder: &ImageBuilderUnderTest) -> (u16, Value) {
    let request = Request::get("/health").body(Body::empty()).expect("a request");
    let response = builder.router.clone().oneshot(request).await.expect("answers");
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
    (status, serde_json::from_slice(&body).expect("is JSON"))
}
