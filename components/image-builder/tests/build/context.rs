//! Jobs from an archive in the request.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use racetrack_core::JobBundle;
use serde_json::json;

use crate::harness::{ImageBuilderUnderTest, archive, bytes, environment, names, request};

#[tokio::test]
async fn a_job_becomes_a_bundle_that_the_same_job_shares() {
    let builder = ImageBuilderUnderTest::start().await;
    let (bundle, log) = builder.built(&request("writes:latest")).await;
    let read = |path| std::fs::read_to_string(bundle.join(path)).expect(path);
    assert!(bundle.is_absolute() && bundle.file_name().is_some_and(|name| name.len() == 64), "{bundle:?}");
    assert_eq!(names(&bundle), ["job", "job-bundle.json", "run.sh"]);
    assert_eq!(names(&bundle.join("job")), ["job.yaml", "main.py"]);
    assert_eq!(read("job/main.py"), "print(42)\n");
    assert!(read("job/job.yaml").contains("name: adder\n") && read("run.sh").contains("COLOR"));
    let description: JobBundle = serde_json::from_str(&read("job-bundle.json")).expect("is one");
    assert_eq!(
        (description.job_type.as_str(), &description.command[..]),
        ("writes:1.0.0", &["./run.sh".to_owned()][..])
    );
    for line in [
        "==> fetching the source code",
        "The revision of the source is tar.",
        "==> preparing job type builder",
        "The job type is writes:1.0.0.",
        "==> building image (1/1)",
        "the recipe runs",
        "==> cleaning up the workspace",
        "==> finalizing the build",
    ] {
        assert!(log.lines().any(|of_log| of_log == line), "{line} is not in {log}");
    }
    builder.assert_clean();
    let env = environment(&bundle);
    assert_eq!((&*env["GIT_VERSION"], &*env["DEPLOYED_BY_RACETRACK_VERSION"]), ("tar", "2.36.0"));
    let untagged = ImageBuilderUnderTest::of_platform("", |_| {}).await;
    let (bundle_of_untagged, _) = untagged.built(&request("writes:latest")).await;
    assert_eq!(environment(&bundle_of_untagged)["DEPLOYED_BY_RACETRACK_VERSION"], "latest");

    let (again, log) = builder.built(&request("writes:latest")).await;
    assert!(again == bundle && log.contains("reused the job bundle"), "{log}");
    let mut other = request("writes:latest");
    other["manifest"]["replicas"] = json!(2);
    assert_ne!(builder.built(&other).await.0, bundle);
    assert_eq!(names(&builder.folder.path().join("bundles")).len(), 3, "with the index");
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_of_a_bundle_are_read_only() {
    use std::os::unix::fs::PermissionsExt;

    let builder = ImageBuilderUnderTest::start().await;
    let (bundle, _) = builder.built(&request("writes:1.0.0")).await;
    for path in ["job/main.py", "job-bundle.json", "run.sh"] {
        let mode = std::fs::metadata(bundle.join(path)).expect(path).permissions().mode();
        assert_eq!(mode & 0o777, 0o444, "{path}");
    }
}

#[tokio::test]
async fn bad_archives_are_refused_and_leave_nothing() {
    let builder = ImageBuilderUnderTest::with(|settings| {
        settings.max_unpacked_size = Some(bytes("10Ki"));
    })
    .await;
    let whole = archive(&[("main.py", "print(42)\n")]);
    for (archive, text) in [
        (archive(&[("../outside", "x")]), "../outside: the path is not plain text that stays inside"),
        (archive(&[("/tmp/outside", "x")]), "the path is not plain text that stays inside"),
        (archive(&[("a", "x"), ("a", "y")]), "a: it is in the archive twice"),
        (archive(&[("a", &"x".repeat(20_000))]), "larger than 10240 bytes"),
        (whole[..whole.len() / 2].to_vec(), "it is cut off"),
        (b"nonsense, not an archive".to_vec(), "it is not a tar archive"),
        (Vec::new(), "it is cut off"),
    ] {
        let mut request = request("writes:1.0.0");
        request["build_context"] = json!(BASE64_STANDARD.encode(archive));
        let (error, log) = builder.failed(&request).await;
        assert!(error.starts_with("fetching the source code: extracting build context: "), "{error}");
        assert!(error.contains(text), "{error}");
        assert!(log.contains(&format!("error: {error}")), "{log}");
    }
}

#[tokio::test]
async fn leftovers_of_a_former_process_are_removed() {
    let builder = ImageBuilderUnderTest::with(|settings| {
        for folder in [&settings.workspaces_folder, &settings.bundles_folder] {
            let folder = folder.as_ref().expect("is set");
            for name in ["5c0a1d9e-7a40-4a8e-9d7c-0242ac120002", ".tmp-1-1"] {
                std::fs::create_dir_all(folder.join(name).join("job")).expect("can be made");
            }
        }
    })
    .await;
    let left = |name| names(&builder.folder.path().join(name));
    assert_eq!(left("workspaces"), [".lock", ".tmp-1-1"], "only what is ours");
    assert_eq!(left("bundles"), [".index", "5c0a1d9e-7a40-4a8e-9d7c-0242ac120002"], "only what is ours");
}
