//! Dead replicas, and restarts of lifecycle.

use racetrack_core::JobStatus;

use super::*;

const REPLICAS: &str = "replicas: 2\n";

/// The longest path that Linux takes, in bytes.
const LONGEST_PATH: usize = 4095;

/// Changes the record of the only instance there is, as found in the state folder.
fn rewrite_record(sandbox: &Sandbox, change: impl FnOnce(&mut Value)) {
    let path = sandbox.job_files().into_iter().find(|path| path.ends_with("instance.json")).unwrap();
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut record);
    fs::write(&path, serde_json::to_vec(&record).unwrap()).unwrap();
}

async fn until_running_again(sandbox: &Sandbox, restarts: u64) -> Job {
    let mut found = None;
    until("the job runs again", async || {
        let job = sandbox.listed().await.remove(0);
        let all = job.replica_internal_names.len() as u64 == job.infrastructure_stats["number_of_replicas"];
        let again = job.status == JobStatus::Running && job.notice.is_none() && all;
        let is_so = again && job.infrastructure_stats["number_of_restarts"].as_u64() == Some(restarts);
        found = Some(job);
        is_so
    })
    .await;
    found.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_replica_is_started_again_while_the_other_serves() {
    let sandbox = Sandbox::new();
    let wanted =
        Wanted { name: "adder", timestamp: 7, manifest: REPLICAS, mode: "children", ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    assert_eq!(job.replica_internal_names.len(), 2);
    for restarts in 1..=3 {
        let job = sandbox.listed().await.remove(0);
        let former = ProcessIdentity::of(pid_of(&job).await).unwrap();
        former.signal(Signal::KILL).unwrap();
        until("it is dead", async || !former.is_alive()).await;
        assert_eq!(sandbox.listed().await[0].status, JobStatus::Running, "the other replica serves");
        let job = until_running_again(&sandbox, restarts).await;
        assert_ne!(pid_of(&job).await, former.pid);
    }
    // Two servers with three children each, of which one has a child: none is left of those that died.
    until("the leftovers are gone", async || sandbox.processes().len() == 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_lifecycle_finds_its_jobs_again() {
    let mut sandbox = Sandbox::new();
    let wanted =
        Wanted { name: "adder", timestamp: 7, secrets: &[("TOKEN", "hunter2")], ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    let pid = pid_of(&job).await;
    sandbox.restart();
    assert_eq!(pid_of(&job).await, pid, "the job needs no lifecycle");
    sandbox.plugin().infrastructure_targets().await.unwrap();
    let listed = sandbox.listed().await.remove(0);
    assert_eq!((listed.status, &listed.internal_name), (JobStatus::Running, &job.internal_name));
    assert_eq!(listed.manifest_yaml, job.manifest_yaml);

    let former = ProcessIdentity::of(pid).unwrap();
    former.signal(Signal::KILL).unwrap();
    until("it is dead", async || !former.is_alive()).await;
    let job = until_running_again(&sandbox, 1).await;
    assert!(ask(&job, "/environment").await.contains("hunter2"), "with the same environment");

    sandbox.target().delete_job("adder", "0.0.1").await.unwrap();
    assert_eq!((sandbox.processes(), sandbox.job_files()), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_with_another_configuration_takes_the_jobs_over() {
    let mut sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    let pid = pid_of(&job).await;

    // As lifecycle does it: the new one is made and asked what it offers while the old one still has the jobs.
    let former = sandbox.plugin.take().unwrap();
    sandbox.settings.push_str(", log-files: 3");
    sandbox.restart();
    let offered = sandbox.plugin().infrastructure_targets().await.unwrap();
    assert_eq!(former.targets[0].list_jobs().await.unwrap().len(), 1);
    drop(former);

    let found = offered["process"].job_monitor.as_ref().unwrap().list_jobs().await.unwrap().remove(0);
    assert_eq!((found.status, &found.internal_name), (JobStatus::Running, &job.internal_name));
    assert_eq!(pid_of(&found).await, pid, "the job has not noticed");
    let process = ProcessIdentity::of(pid).unwrap();
    process.signal(Signal::KILL).unwrap();
    until("it is dead", async || !process.is_alive()).await;
    until_running_again(&sandbox, 1).await;
    sandbox.target().delete_job("adder", "0.0.1").await.unwrap();
    assert_eq!((sandbox.processes(), sandbox.job_files()), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_has_got_the_number_of_another_is_left_alone() {
    let mut sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    sandbox.bring_up(&wanted).await.unwrap();
    let mut stranger = Command::new("sleep").arg("1000").spawn().unwrap();
    let stranger_pid = i32::try_from(stranger.id()).unwrap();
    let stranger_identity = ProcessIdentity::of(stranger_pid).unwrap();
    let own = sandbox.processes();
    sandbox.plugin = None;
    rewrite_record(&sandbox, |record| record["replicas"][0]["process"]["pid"] = stranger_pid.into());
    sandbox.restart();

    // The stranger is taken for dead, the process found by its mark is stopped, and a new one serves.
    let job = until_running_again(&sandbox, 1).await;
    assert!(!own.iter().any(ProcessIdentity::is_alive), "no process is orphaned");
    assert_ne!(pid_of(&job).await, stranger_pid);
    sandbox.target().delete_job("adder", "0.0.1").await.unwrap();
    assert_eq!(sandbox.processes(), []);
    assert!(stranger_identity.is_alive(), "a stranger must not be touched");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_processes_died_with_the_machine_is_started_again() {
    let mut sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    let former = sandbox.bring_up(&wanted).await.unwrap();
    sandbox.plugin = None;
    for process in sandbox.processes() {
        process.signal(Signal::KILL).unwrap();
    }
    rewrite_record(&sandbox, |record| record["replicas"][0]["process"]["boot_id"] = "another".into());
    sandbox.restart();
    let job = until_running_again(&sandbox, 1).await;
    assert_eq!(job.update_time, former.update_time);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_being_tried_is_settled_by_the_next_lifecycle() {
    let mut sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    // Beside nothing: it stays, and can still be checked.
    let job = sandbox.deploy(&wanted).await.unwrap();
    sandbox.restart();
    assert_eq!(sandbox.listed().await[0].status, JobStatus::Starting);
    sandbox.target().check_job_condition(&job, 7, &|| (), true).await.unwrap();
    let pid = pid_of(&job).await;

    // Beside one in service: that one stays.
    let second = sandbox.deploy(&Wanted { timestamp: 8, ..wanted.clone() }).await.unwrap();
    assert_eq!(sandbox.status().await.as_array().unwrap().len(), 2);
    sandbox.restart();
    let listed = sandbox.listed().await;
    assert_eq!((listed[0].update_time, listed[0].status, listed.len()), (7, JobStatus::Running, 1));
    assert_eq!(pid_of(&listed[0]).await, pid);
    until("the new one is gone", async || sandbox.status().await.as_array().unwrap().len() == 1).await;
    assert_eq!(sandbox.processes().len(), 1);
    let error = sandbox.target().check_job_condition(&second, 8, &|| (), true).await.unwrap_err();
    assert_eq!(error.to_string(), "job adder v0.0.1 is not on infrastructure target process");

    // Between the start of the new one's service and the end of the old one's: the new one serves.
    let third = sandbox.deploy(&Wanted { timestamp: 9, ..wanted }).await.unwrap();
    sandbox.tear_off_promotion(&third).await;
    let listed = sandbox.listed().await;
    assert_eq!((listed[0].update_time, listed.len()), (9, 1));
    until("the old one is gone", async || sandbox.processes().len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_instance_that_does_not_end_holds_up_nobody() {
    let mut sandbox = Sandbox::with_settings(&QUICK.replace("grace: 2", "grace: 3600"));
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    sandbox.bring_up(&Wanted { mode: "ignores-term", ..wanted.clone() }).await.unwrap();
    sandbox.bring_up(&Wanted { timestamp: 8, ..wanted }).await.unwrap();
    sandbox.restart();
    let listed = tokio::time::timeout(LONGEST_WAIT, sandbox.listed()).await.expect("is not held up");
    assert_eq!((listed[0].update_time, listed[0].status), (8, JobStatus::Running));
    assert_eq!(sandbox.processes().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_written_keeps_no_job_from_being_looked_after() {
    let mut sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    sandbox.bring_up(&wanted).await.unwrap();
    sandbox.plugin = None;

    // Another job, which died. Its folder gets a path so long that its record can be read, and no temporary file made
    // beside it.
    let record = sandbox.state().join("targets/process/jobs/adder/0.0.1/1/instance.json");
    let mut record: Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    let (name, version) = ("z".repeat(128), "1".repeat(128));
    record["id"] = "another".into();
    record["job_name"] = name.as_str().into();
    record["job_version"] = version.as_str().into();
    record["replicas"][0]["process"]["boot_id"] = "another".into();
    let other = Path::new("targets/process/jobs").join(name).join(version).join("1");
    fs::create_dir_all(sandbox.state().join(&other)).unwrap();
    fs::write(sandbox.state().join(&other).join("instance.json"), record.to_string()).unwrap();
    let length = |path: &Path| path.as_os_str().len();
    let rest =
        LONGEST_PATH - length(sandbox.folder.path()) - length(&other) - length(Path::new("/instance.json"));
    let mut deep = sandbox.folder.path().to_owned();
    // Each name takes 100 bytes with its slash, and the last one all that is left.
    for length in std::iter::repeat_n(99, (rest - 1) / 100 - 1).chain([99 + (rest - 1) % 100]) {
        deep.push("d".repeat(length));
    }
    fs::create_dir_all(deep.parent().unwrap()).unwrap();
    fs::rename(sandbox.state(), &deep).unwrap();
    sandbox.state = deep;
    sandbox.restart();

    let listed = sandbox.target().list_jobs().await.unwrap();
    assert_eq!(listed.len(), 2);
    let former = ProcessIdentity::of(pid_of(&listed[0]).await).unwrap();
    former.signal(Signal::KILL).unwrap();
    until("it is started again", async || {
        let job = sandbox.listed().await.remove(0);
        job.infrastructure_stats["number_of_restarts"] == 1 && job.status == JobStatus::Running
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_whose_making_was_broken_off_is_removed() {
    let sandbox = Sandbox::new();
    let folder = sandbox.state().join("targets/process/jobs/adder/0.0.1/1");
    fs::create_dir_all(folder.join("logs")).unwrap();
    assert_eq!(sandbox.listed().await, []);
    assert!(!folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_taken_by_a_stranger_is_changed() {
    let sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    let former = port_of(job.internal_name.as_deref().unwrap());
    let process = ProcessIdentity::of(pid_of(&job).await).unwrap();
    process.signal(Signal::STOP).unwrap();
    process.signal(Signal::KILL).unwrap();
    until("it is dead", async || !process.is_alive()).await;
    // Whoever is faster: either the replica keeps its port, or it moves.
    let stranger = std::net::TcpListener::bind(("0.0.0.0", former));
    let job = until_running_again(&sandbox, 1).await;
    let moved = port_of(job.internal_name.as_deref().unwrap()) != former;
    assert_eq!(moved, stranger.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bundles_in_use_are_told_of_all_instances_or_not_at_all() {
    let mut sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    sandbox.bring_up(&wanted).await.unwrap();
    rewrite_record(&sandbox, |record| record["bundle"] = "/bundles/former".into());
    sandbox.restart();
    assert_eq!(sandbox.target().images_in_use().await.unwrap(), ["/bundles/former"]);
    // Its processes run on, whatever is in its record.
    rewrite_record(&sandbox, |record| record["replicas"] = Value::Null);
    sandbox.restart();
    let error = sandbox.target().images_in_use().await.unwrap_err();
    assert!(error.to_string().contains("not known which bundle it needs"), "{error}");
}
