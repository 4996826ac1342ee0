//! Whose secrets are kept while a job is deployed anew, however that ends.

use racetrack_core::{JobSecrets, JobStatus};

use super::*;

/// The secrets of a job, told apart by a text.
fn secrets(text: &str) -> JobSecrets {
    let runtime = BTreeMap::from([("TOKEN".to_owned(), text.to_owned())]);
    JobSecrets::new(None, BTreeMap::new(), runtime)
}

async fn save(sandbox: &Sandbox, text: &str) {
    sandbox.target().save_job_secrets("adder", "0.0.1", &secrets(text)).await.unwrap();
}

/// Fails unless these are kept, now and by a later lifecycle.
async fn assert_kept(sandbox: &mut Sandbox, text: &str) {
    for _ in 0..2 {
        let kept = sandbox.target().get_job_secrets("adder", "0.0.1").await.unwrap();
        assert_eq!(kept.secret_runtime_env["TOKEN"], text);
        sandbox.restart();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_serves_keeps_its_secrets_until_the_next_instance_serves() {
    let mut sandbox = Sandbox::new();
    let wanted = |timestamp| Wanted { name: "adder", timestamp, ..Wanted::default() };
    save(&sandbox, "first").await;
    sandbox.bring_up(&wanted(7)).await.unwrap();
    assert_kept(&mut sandbox, "first").await;

    // Torn off before the next instance is started, and after.
    save(&sandbox, "second").await;
    assert_kept(&mut sandbox, "first").await;
    save(&sandbox, "second").await;
    sandbox.deploy(&wanted(8)).await.unwrap();
    assert_kept(&mut sandbox, "first").await;
    until("the next instance is gone", async || sandbox.status().await.as_array().unwrap().len() == 1).await;
    assert_eq!(sandbox.processes().len(), 1);

    // What was torn off has left nothing that a deployment without secrets of its own would take.
    sandbox.bring_up(&wanted(9)).await.unwrap();
    assert_kept(&mut sandbox, "first").await;

    save(&sandbox, "second").await;
    sandbox.bring_up(&wanted(10)).await.unwrap();
    assert_kept(&mut sandbox, "second").await;
    sandbox.target().delete_job("adder", "0.0.1").await.unwrap();
    assert_eq!((sandbox.processes(), sandbox.job_files()), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_fails_takes_its_secrets_along() {
    let mut sandbox = Sandbox::new();
    let wanted = |timestamp, mode| Wanted { name: "adder", timestamp, mode, ..Wanted::default() };
    save(&sandbox, "first").await;
    sandbox.bring_up(&wanted(7, "")).await.unwrap();
    save(&sandbox, "second").await;
    sandbox.bring_up(&wanted(8, "crash")).await.unwrap_err();
    assert_kept(&mut sandbox, "first").await;
    sandbox.bring_up(&wanted(9, "")).await.unwrap();
    assert_kept(&mut sandbox, "first").await;

    // One that is refused before anything is started.
    save(&sandbox, "second").await;
    let greedy = Wanted { manifest: "resources: {memory_max: 0}\n", ..wanted(10, "") };
    sandbox.bring_up(&greedy).await.unwrap_err();
    sandbox.bring_up(&wanted(11, "")).await.unwrap();
    assert_kept(&mut sandbox, "first").await;

    // One that lifecycle undoes by putting the former secrets back.
    save(&sandbox, "second").await;
    save(&sandbox, "first").await;
    sandbox.bring_up(&wanted(12, "")).await.unwrap();
    assert_kept(&mut sandbox, "first").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_that_was_torn_off_is_completed_by_the_next_lifecycle() {
    let mut sandbox = Sandbox::new();
    let wanted = |timestamp| Wanted { name: "adder", timestamp, ..Wanted::default() };
    save(&sandbox, "first").await;
    sandbox.bring_up(&wanted(7)).await.unwrap();
    save(&sandbox, "second").await;
    let job = sandbox.deploy(&wanted(8)).await.unwrap();
    sandbox.tear_off_promotion(&job).await;
    let listed = sandbox.listed().await;
    assert_eq!((listed[0].update_time, listed[0].status), (8, JobStatus::Running));
    assert_kept(&mut sandbox, "second").await;
}
