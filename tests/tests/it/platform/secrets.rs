//! A job with a secret: it reaches the job, and nothing else.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use racetrack_tests::{Platform, checkout};
use serde_json::json;

use super::distribution::{administrator, platform};

const SECRET: &str = "correct-horse-battery-staple-7f3a";

/// The HMAC of `hello` with SHA-256 under the secret.
const SIGNATURE: &str = "b450a6ac33f495f81a9591f814bc692cfc3404cd87da8f202d10034b9a8d391e";

#[test]
fn a_secret_reaches_the_job_and_nothing_else() {
    let platform = platform("secrets");
    let client = administrator(&platform);
    let folder = copy_sample(&platform);
    let deployed = client.run(&["deploy", &folder.to_string_lossy(), "--build-context", "local"]);
    let _ = deployed.succeeded();
    let sign = || {
        platform.call(
            "python-secrets/latest/api/v1/perform",
            Some(platform.token()),
            &json!({"message": "hello"}),
        )
    };
    assert_eq!(sign(), (200, json!(SIGNATURE)));
    // Where the secret has to be found again, and carried along.
    assert_eq!(platform.post("/job/python-secrets/0.0.1/reprovision", &json!({})), (200, json!(null)));
    assert_eq!(sign(), (200, json!(SIGNATURE)));
    let target = json!({"infrastructure_target": "second"});
    assert_eq!(platform.post("/job/python-secrets/0.0.1/move", &target), (200, json!(null)));
    assert_eq!(sign(), (200, json!(SIGNATURE)));

    let job = "/job/python-secrets/0.0.1";
    let deployments = platform.get("/deploy").1;
    let deployments = deployments.as_array().expect("a list").iter();
    let mut paths: Vec<_> = deployments
        .map(|deployment| format!("/deploy/{}", deployment["id"].as_str().expect("an id")))
        .collect();
    assert_eq!(paths.len(), 3);
    paths.extend(["", "/logs?tail=0", "/build-logs", "/public-endpoints"].map(|part| format!("{job}{part}")));
    paths.extend(["/job", "/job/portfolio", "/audit/events"].map(str::to_owned));
    for path in paths {
        let (status, answer) = platform.get(&path);
        assert_eq!(status, 200, "{path}: {answer}");
    }
    let action = json!({"action": "status"});
    assert_eq!(platform.post("/plugin/process-infrastructure/run", &action).0, 200);
    assert!(!platform.answers().contains(SECRET), "the API tells the secret");
    assert!(!client.transcript().contains(SECRET), "the client shows the secret");

    assert_eq!(files_with_secret(&folder), [folder.join("secrets.env")]);
    // While the job is there: deleting it takes away what is kept of it.
    assert_eq!(files_with_secret(&platform.state_folder()), Vec::<PathBuf>::new());
    let log = platform.end().0;
    assert!(log.contains("python-secrets"), "the log is not that of this platform:\n{log}");
    assert!(!log.contains(SECRET), "the log tells the secret");
}

/// Copies the sample and completes it as its README says.
fn copy_sample(platform: &Platform) -> PathBuf {
    let sample = checkout().join("samples/python-secrets");
    for entry in fs_err::read_dir(sample).expect("the sample is there") {
        let path = entry.expect("can be listed").path();
        let name = path.file_name().expect("has a name").to_string_lossy().into_owned();
        let content = fs_err::read_to_string(&path).expect("is text");
        platform.write(&format!("sources/python-secrets/{name}"), &content);
    }
    platform.write("sources/python-secrets/secrets.env", &format!("SIGNING_KEY={SECRET}\n"));
    platform.path("sources/python-secrets")
}

/// Reads every file of a folder.
fn files_with_secret(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).expect("a folder can be listed") {
        let path = entry.expect("can be listed").path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(files_with_secret(&path));
            continue;
        }
        let content = match fs_err::read(&path) {
            // The platform is running: files come and go.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            content => content.expect("a file can be read"),
        };
        if content.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()) {
            found.push(path);
        }
    }
    found
}
