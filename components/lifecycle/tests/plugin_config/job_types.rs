//! Which job type a job is said to have, when its target does not tell it and the job types change.

use axum::http::Method;
use racetrack_core::{Job, JobStatus};
use serde_json::Value;

use crate::harness::{Running, Sandbox};

/// Keeps a job as one that runs, with an image.
async fn add(running: &Running, name: &str, job_type: &str) {
    let mut job = Job::new(name, "0.0.1", JobStatus::Running, 1);
    job.infrastructure_target = Some("docker".to_owned());
    job.manifest_yaml = Some(format!(
        "name: {name}\nowner_email: a@example.com\njobtype: {job_type}\ngit: {{remote: 'https://example.com'}}\n"
    ));
    running.app.store.ensure_job_family(name).await.expect("can be made");
    running.app.store.save_job(&job, &["image".to_owned()]).await.expect("can be kept");
}

async fn reprovision(running: &Running, name: &str) -> Value {
    let path = format!("/job/{name}/0.0.1");
    let (status, answer) = running.call(Method::POST, &format!("{path}/reprovision"), String::new()).await;
    assert_eq!(status, 200, "{answer}");
    running.get(&path).await
}

#[tokio::test]
async fn a_job_has_the_exact_job_type_that_its_images_were_made_with() {
    let sandbox = Sandbox::new(&[(
        "greeter",
        "{greeting: old, targets: [docker], job_types: ['go:1.9.0', 'go:1.10.0']}",
    )]);
    let running = sandbox.start().await.expect("starts");
    for (name, job_type, expected) in [
        ("latest", "go:latest", "go:1.10.0"),
        ("pattern", "go:1.*", "go:1.10.0"),
        ("exact", "go:1.9.0", "go:1.9.0"),
        ("gone", "go:0.*", "go:0.*"),
    ] {
        add(&running, name, job_type).await;
        let job = reprovision(&running, name).await;
        assert_eq!((&job["job_type_version"], &job["internal_name"]), (&expected.into(), &"old".into()));
    }
    running.configure("greeter", "{greeting: new, targets: [docker], job_types: ['go:2.0.0']}").await;
    let job = reprovision(&running, "latest").await;
    assert_eq!((&job["job_type_version"], &job["internal_name"]), (&"go:1.10.0".into(), &"new".into()));
}
