//! Deploying, checking, listing, deploying again and deleting.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use racetrack_core::{GitCredentials, JobSecrets, JobStatus};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_deployed_listed_and_deleted_with_nothing_left() {
    let sandbox = Sandbox::new();
    let target = sandbox.target();
    let wanted = Wanted { name: "adder", timestamp: 7, mode: "children", ..Wanted::default() };
    let job = sandbox.deploy(&wanted).await.unwrap();
    assert_eq!((job.status, job.create_time, job.update_time), (JobStatus::Starting, 7, 7));
    let alive = AtomicU32::new(0);
    let count = || _ = alive.fetch_add(1, Ordering::Relaxed);
    target.check_job_condition(&job, 7, &count, true).await.unwrap();
    assert_eq!(alive.into_inner(), 1);

    let listed = sandbox.listed().await;
    let [job] = &listed[..] else { panic!("one job, not {listed:?}") };
    assert_eq!((job.status, job.error.as_deref()), (JobStatus::Running, None));
    assert_eq!(job.last_call_time, Some(1_700_000_000));
    assert_eq!(job.infrastructure_target.as_deref(), Some("process"));
    assert_eq!(job.job_type_version.as_deref(), Some("test:1.0.0"));
    assert_eq!(job.replica_internal_names, [job.internal_name.clone().unwrap()]);
    assert_eq!(job.infrastructure_stats["number_of_restarts"], 0);
    assert!(job.infrastructure_stats["memory_rss_bytes"].as_u64().unwrap() > 1_000_000);
    let pids = job.infrastructure_stats["pids"].as_array().unwrap().clone();
    assert!(pids.contains(&pid_of(job).await.into()), "{pids:?}");
    assert!(pids.len() >= 4, "the children count too: {pids:?}");
    assert_eq!(sandbox.status().await[0]["status"], "current");

    assert_eq!(ask(job, "/folder").await, sandbox.bundle().join("job").to_str().unwrap());
    let environment: BTreeMap<String, String> =
        serde_json::from_str(&ask(job, "/environment").await).unwrap();
    for (name, value) in [("JOB_NAME", "adder"), ("FROM_BUNDLE", "bundle"), ("PUB_URL", "http://x/pub")] {
        assert_eq!(environment[name], value);
    }
    assert!(!environment.contains_key("CARGO_MANIFEST_DIR"), "nothing is inherited: {environment:?}");
    assert!(Path::new(&environment["HOME"]).starts_with(sandbox.state()));

    let bundle = sandbox.bundle().to_str().unwrap().to_owned();
    assert_eq!(target.images_in_use().await.unwrap(), [bundle.as_str()]);
    let again = Wanted { timestamp: 8, ..wanted.clone() };
    sandbox.deploy(&again).await.unwrap();
    assert_eq!(target.images_in_use().await.unwrap(), [bundle.clone(), bundle], "of candidates, too");

    assert!(target.job_exists("adder", "0.0.1").await.unwrap());
    assert!(!target.job_exists("adder", "0.0.2").await.unwrap());
    target.delete_job("adder", "0.0.1").await.unwrap();
    assert!(!target.job_exists("adder", "0.0.1").await.unwrap());
    assert_eq!(sandbox.processes(), []);
    assert_eq!(sandbox.job_files(), Vec::<PathBuf>::new());
    assert_eq!(sandbox.listed().await, []);
    assert_eq!(target.images_in_use().await.unwrap(), [""; 0]);
    target.delete_job("adder", "0.0.1").await.unwrap();
    target.delete_job("../..", "0.0.1").await.unwrap();
    assert!(sandbox.bundle().is_dir());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_does_not_come_up_tells_why_and_leaves_nothing() {
    let quick = QUICK.replace("timeout-until-job-ready: 30", "timeout-until-job-ready: 0.2");
    let sandbox = Sandbox::with_settings(&quick);
    for (mode, reason) in [
        ("failing-init", "Job initialization error: ZeroDivisionError: division by zero"),
        ("never-ready", "Job initialization timed out"),
        ("crash", "Cluster error: can't reach Job: the process exited with code 3"),
        ("crash-before-ready", "Job server crashed while initialization: the process exited with code 4"),
    ] {
        let wanted = Wanted { name: "adder", timestamp: 7, mode, ..Wanted::default() };
        let error = sandbox.bring_up(&wanted).await.unwrap_err();
        let (text, logs) = error.split_once("\nJob logs:\n").unwrap();
        assert_eq!(text, reason, "{mode}");
        assert!(logs.starts_with("starting\n"), "{mode}: {logs}");
        assert_eq!((sandbox.processes(), sandbox.job_files()), (Vec::new(), Vec::new()), "{mode}");
        assert!(!sandbox.target().job_exists("adder", "0.0.1").await.unwrap(), "{mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_noticed_long_before_the_time_limit() {
    let sandbox = Sandbox::with_settings("timeout-until-job-alive: 3600, grace: 2");
    let start = Instant::now();
    let wanted = Wanted { name: "adder", timestamp: 7, mode: "crash", ..Wanted::default() };
    assert!(sandbox.bring_up(&wanted).await.unwrap_err().contains("exited with code 3"));
    assert!(start.elapsed() < LONGEST_WAIT);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_started_is_refused_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    let refused = async |wanted: &Wanted<'_>| sandbox.bring_up(wanted).await.unwrap_err();

    let reserved = Wanted { secrets: &[("AUTH_TOKEN", "x")], ..wanted.clone() };
    assert_eq!(
        refused(&reserved).await,
        "found illegal runtime env vars, which conflict with reserved names: {'AUTH_TOKEN'}"
    );
    let greedy = Wanted { manifest: "resources: {memory_max: 0}\n", ..wanted.clone() };
    assert_eq!(refused(&greedy).await, "memory_max must be greater than zero");

    let bundle_file = sandbox.bundle().join(job_bundle::FILE_NAME);
    let bundle = |command: &str| format!(r#"{{"job_type": "a:1.0.0", "command": {command}, "env": {{}}}}"#);
    fs::write(&bundle_file, bundle(r#"["./no-such-program"]"#)).unwrap();
    assert_eq!(refused(&wanted).await, "cannot start `./no-such-program`");
    fs::write(&bundle_file, bundle("[]")).unwrap();
    assert!(refused(&wanted).await.contains("is empty"));
    fs::write(&bundle_file, "{}").unwrap();
    assert!(refused(&wanted).await.contains("does not say how to start the job"));
    fs::remove_dir(sandbox.bundle().join("job")).unwrap();
    fs::write(&bundle_file, bundle(r#"["true"]"#)).unwrap();
    assert!(refused(&wanted).await.contains("has no folder `job`"));
    fs::remove_file(&bundle_file).unwrap();
    assert!(refused(&wanted).await.starts_with("cannot read "));
    assert_eq!((sandbox.processes(), sandbox.job_files()), (Vec::new(), Vec::new()));
    assert_eq!(sandbox.listed().await, []);
}

/// Calls the job in service as fast as it answers, until told to end. Returns how many calls there were.
async fn call_in_a_loop(sandbox: &Sandbox, end: &AtomicBool) -> u32 {
    let mut calls = 0;
    while !end.load(Ordering::Relaxed) {
        let [job] = &sandbox.listed().await[..] else { panic!("the job is gone") };
        assert_eq!(job.status, JobStatus::Running, "{job:?}");
        pid_of(job).await;
        calls += 1;
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_redeployment_leaves_the_former_instance_serving() {
    let sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    let first = sandbox.bring_up(&wanted).await.unwrap();
    let pid = pid_of(&first).await;
    let end = AtomicBool::new(false);
    let redeploy = async {
        for (timestamp, mode) in [(8, "failing-init"), (9, "crash"), (10, "crash-before-ready")] {
            sandbox.bring_up(&Wanted { timestamp, mode, ..wanted.clone() }).await.unwrap_err();
        }
        end.store(true, Ordering::Relaxed);
    };
    let (calls, ()) = tokio::join!(call_in_a_loop(&sandbox, &end), redeploy);
    assert!(calls > 3, "{calls}");
    assert_eq!(pid_of(&first).await, pid);
    assert_eq!(sandbox.listed().await[0].update_time, 7);
    assert_eq!(sandbox.processes().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successful_redeployment_takes_over_without_a_gap() {
    let sandbox = Sandbox::with_settings(&QUICK.replace("drain: 0", "drain: 0.5"));
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    let first = sandbox.bring_up(&wanted).await.unwrap();
    let former = ProcessIdentity::of(pid_of(&first).await).unwrap();
    let end = AtomicBool::new(false);
    let redeploy = async {
        let second = sandbox.bring_up(&Wanted { timestamp: 8, ..wanted.clone() }).await.unwrap();
        // Callers on their way to the former instance are still served.
        pid_of(&first).await;
        until("the former instance is gone", async || !former.is_alive()).await;
        end.store(true, Ordering::Relaxed);
        second
    };
    let (calls, second) = tokio::join!(call_in_a_loop(&sandbox, &end), redeploy);
    assert!(calls > 3, "{calls}");
    let listed = &sandbox.listed().await[0];
    assert_eq!((listed.update_time, &listed.internal_name), (8, &second.internal_name));
    until("its folder is gone", async || sandbox.status().await.as_array().unwrap().len() == 1).await;
    assert!(sandbox.job_files().iter().all(|path| !path.to_str().unwrap().contains("0.0.1/1/")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_is_given_up_takes_the_candidate_away() {
    let sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, mode: "never-ready", ..Wanted::default() };
    let job = sandbox.deploy(&wanted).await.unwrap();
    let target = sandbox.target();
    let alive = tokio::sync::Notify::new();
    let tell = || alive.notify_one();
    tokio::select! {
        result = target.check_job_condition(&job, 7, &tell, false) => panic!("{result:?}"),
        () = alive.notified() => {}
    }
    until("the candidate is gone", async || sandbox.processes().is_empty() && sandbox.job_files().is_empty())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_deleted_while_it_starts_is_gone() {
    let sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, mode: "never-ready", ..Wanted::default() };
    let job = sandbox.deploy(&wanted).await.unwrap();
    let target = sandbox.target();
    let alive = tokio::sync::Notify::new();
    let delete = async {
        alive.notified().await;
        target.delete_job("adder", "0.0.1").await.unwrap();
    };
    let tell = || alive.notify_one();
    let check = target.check_job_condition(&job, 7, &tell, false);
    let (checked, ()) = tokio::join!(check, delete);
    assert_eq!(checked.unwrap_err().to_string(), "Job was removed while it was being started");
    assert_eq!((sandbox.processes(), sandbox.job_files()), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_is_given_up_goes_on_until_nothing_is_left() {
    let sandbox = Sandbox::new();
    let target = sandbox.target();
    target.save_job_secrets("adder", "0.0.1", &JobSecrets::default()).await.unwrap();
    let wanted = Wanted { name: "adder", timestamp: 7, mode: "ignores-term", ..Wanted::default() };
    sandbox.bring_up(&wanted).await.unwrap();
    tokio::select! {
        result = target.delete_job("adder", "0.0.1") => panic!("SIGTERM is ignored, so it cannot be done: {result:?}"),
        () = until("it is under way", async || sandbox.status().await[0]["status"] == "retired") => {}
    }
    assert!(target.get_job_secrets("adder", "0.0.1").await.is_ok(), "they stay as long as the job does");
    until("it is done", async || sandbox.processes().is_empty() && sandbox.job_files().is_empty()).await;
    target.delete_job("adder", "0.0.1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_targets_are_independent() {
    let sandbox = Sandbox::new();
    let (first, second) = (sandbox.target(), sandbox.target_named("second"));
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    for target in [&first, &second] {
        let job = sandbox.deploy_on(target, &wanted).await.unwrap();
        target.check_job_condition(&job, 7, &|| (), true).await.unwrap();
    }
    first.save_job_secrets("adder", "0.0.1", &JobSecrets::default()).await.unwrap();
    assert!(second.get_job_secrets("adder", "0.0.1").await.is_err());
    first.delete_job("adder", "0.0.1").await.unwrap();
    assert!(!first.job_exists("adder", "0.0.1").await.unwrap());
    let listed = second.list_jobs().await.unwrap();
    assert_eq!((listed.len(), listed[0].status), (1, JobStatus::Running));
    assert_eq!(listed[0].infrastructure_target.as_deref(), Some("second"));
    let offered = sandbox.plugin().infrastructure_targets().await.unwrap();
    assert_eq!(offered.keys().collect::<Vec<_>>(), ["process", "second"]);
    assert!(offered.values().all(|target| target.logs_streamer.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_kept_encrypted_and_go_with_the_job() {
    let sandbox = Sandbox::new();
    let target = sandbox.target();
    let map = BTreeMap::from([("TOKEN".to_owned(), "hunter2-token".to_owned())]);
    let credentials = GitCredentials { username: "bob".to_owned(), password: "hunter2-password".to_owned() };
    let secrets = JobSecrets::new(Some(credentials), map.clone(), map);
    target.save_job_secrets("adder", "0.0.1", &secrets).await.unwrap();
    let wanted =
        Wanted { name: "adder", timestamp: 7, secrets: &[("TOKEN", "hunter2-token")], ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    assert!(ask(&job, "/environment").await.contains("hunter2-token"), "the job gets its secrets");
    assert_eq!(target.get_job_secrets("adder", "0.0.1").await.unwrap(), secrets);
    let missing = target.get_job_secrets("adder", "0.0.2").await.unwrap_err();
    assert_eq!(missing.to_string(), "no secrets are kept for job adder v0.0.2");

    assert!(sandbox.job_files().len() >= 4, "{:?}", sandbox.job_files());
    for path in files_below(&sandbox.state()) {
        let content = fs::read(&path).unwrap();
        assert!(!content.windows(7).any(|window| window == b"hunter2"), "{}", path.display());
    }
    target.delete_job("adder", "0.0.1").await.unwrap();
    assert!(target.get_job_secrets("adder", "0.0.1").await.is_err());
    assert_eq!(sandbox.job_files(), Vec::<PathBuf>::new());
}

#[test]
fn construction_touches_nothing_and_the_docs_are_those_of_the_resource_file() {
    let sandbox = Sandbox::new();
    assert!(!sandbox.state().exists());
    // Without a runtime too: the targets can be listed wherever the plugin is.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let docs = runtime.block_on(sandbox.plugin().markdown_docs()).unwrap();
    assert!(docs.is_some_and(|docs| docs.starts_with("# process-infrastructure")));
    let error =
        runtime.block_on(sandbox.plugin().run_action(RunAction::new(&serde_json::Map::new()))).unwrap_err();
    assert_eq!(error.to_string(), "the parameter `action` must be `status`");
    assert!(!sandbox.state().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_jobs_deployed_at_once_all_come_up_and_go() {
    let sandbox = Sandbox::new();
    let names: Vec<String> = (0..50).map(|number| format!("adder-{number}")).collect();
    let all = names
        .iter()
        .map(|name| async { sandbox.bring_up(&Wanted { name, timestamp: 7, ..Wanted::default() }).await });
    let jobs = futures_util::future::join_all(all).await;
    assert!(jobs.iter().all(Result::is_ok), "{jobs:?}");
    assert!(sandbox.listed().await.iter().all(|job| job.status == JobStatus::Running));
    let target = sandbox.target();
    futures_util::future::join_all(names.iter().map(|name| target.delete_job(name, "0.0.1"))).await;
    assert_eq!((sandbox.processes(), sandbox.job_files()), (Vec::new(), Vec::new()));
}
