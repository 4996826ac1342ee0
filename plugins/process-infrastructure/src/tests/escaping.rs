//! Processes that leave behind what they inherited, in order to stay when their job goes.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::system::control_group::{self, Place};
use crate::system::group_location;
use crate::system::limits::Limits;

const ALL: [&str; 7] = ["session", "title", "orphan", "daemon", "deaf", "storm", "fleeing"];

/// Without a control group what is never the same process for long cannot be caught for certain.
const WITHOUT_GROUPS: [&str; 6] = ["session", "title", "orphan", "daemon", "deaf", "storm"];

/// A number that no other process of the machine has among its arguments.
fn number() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1000);
    format!("{}{}", std::process::id() % 100_000, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The processes with a number as, or in, one of their arguments.
fn with_number(number: &str) -> Vec<ProcessIdentity> {
    let pids =
        fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let found = pids.filter(|pid: &i32| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).split(['\0', ' ', ';']).any(|argument| argument == number)
    });
    found.filter_map(|pid| ProcessIdentity::of(pid).ok()).filter(ProcessIdentity::is_alive).collect()
}

/// Whether control groups can be made here; says so if not, as a test then cannot show what it is for.
fn can_make_groups() -> bool {
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    let name = format!("racetrack-trial-{}", number());
    let pid = i32::try_from(child.id()).unwrap();
    let joined = control_group::hold(&Place::Own, &name, pid, &Limits::default());
    child.kill().unwrap();
    child.wait().unwrap();
    for group in &joined.groups {
        until_removed(group);
    }
    if joined.groups.is_empty() {
        eprintln!("skipped: no control groups can be made here");
    }
    !joined.groups.is_empty()
}

fn until_removed(group: &Path) {
    let start = Instant::now();
    while let Err(error) = fs::remove_dir(group) {
        assert!(start.elapsed() < LONGEST_WAIT, "{error}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The groups of jobs in which one of the processes is.
fn groups_of(processes: &[ProcessIdentity]) -> Vec<String> {
    let groups = processes.iter().map(|process| fs::read_to_string(format!("/proc/{}/cgroup", process.pid)));
    let groups: String = groups.map(Result::unwrap_or_default).collect();
    groups.split(['/', '\n']).filter(|name| name.starts_with("racetrack-")).map(str::to_owned).collect()
}

fn group_folders(name: &str) -> Vec<PathBuf> {
    control_group::possible(&Place::Own, name).into_iter().filter(|folder| folder.exists()).collect()
}

async fn escape(sandbox: &Sandbox, job: &Job, kind: &str) -> String {
    let number = number();
    ask(job, &format!("/escape/{kind}/{number}")).await;
    until("it has escaped", async || !with_number(&number).is_empty()).await;
    if !["storm", "fleeing"].contains(&kind) {
        let escaped = with_number(&number);
        let pids = sandbox.listed().await[0].infrastructure_stats["pids"].clone();
        // One that only made way for another one may be gone meanwhile.
        for process in escaped.into_iter().filter(ProcessIdentity::is_alive) {
            assert!(
                pids.as_array().unwrap().contains(&process.pid.into()),
                "{kind}: {process:?} is not in {pids}"
            );
        }
    }
    number
}

async fn delete_all_escaped(settings: &str, kinds: &[&str], held_by: &str) {
    let quick = QUICK.replace("grace: 2", "grace: 0.2");
    let mut sandbox = Sandbox::with_settings(&format!("{quick}, {settings}"));
    for (round, kind) in kinds.iter().enumerate() {
        let wanted = Wanted { name: "adder", timestamp: 7, manifest: "replicas: 2\n", ..Wanted::default() };
        let job = sandbox.bring_up(&wanted).await.unwrap();
        assert_eq!(sandbox.listed().await[0].infrastructure_stats["processes_held_by"], held_by);
        let number = escape(&sandbox, &job, kind).await;
        let groups = groups_of(&sandbox.processes());
        assert_eq!(groups.is_empty(), held_by != "cgroup");
        if round % 2 == 1 {
            sandbox.restart();
        }
        let target = sandbox.target();
        let twice = tokio::join!(target.delete_job("adder", "0.0.1"), target.delete_job("adder", "0.0.1"));
        twice.0.unwrap();
        twice.1.unwrap();
        assert_eq!(with_number(&number), [], "{kind}");
        assert_eq!((sandbox.processes(), sandbox.job_files()), (Vec::new(), Vec::new()), "{kind}");
        let left: Vec<_> = groups.iter().flat_map(|name| group_folders(name)).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_process_leaves_the_control_group_of_its_job() {
    if can_make_groups() {
        delete_all_escaped("control-groups: true", &ALL, "cgroup").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_ended_at_once_in_every_hierarchy_that_can_do_so() {
    let mut tried = 0;
    for folder in group_location::own_groups() {
        let number = number();
        let group = folder.join(format!("racetrack-trial-{number}"));
        let can_freeze = ["cgroup.kill", "cgroup.freeze", "freezer.state"];
        if fs::create_dir(&group).is_err() {
            continue;
        }
        if !can_freeze.iter().any(|file| group.join(file).exists()) {
            fs::remove_dir(&group).unwrap();
            continue;
        }
        // Never the same process for long: whoever lists processes and then signals them comes too late.
        let flee = "import os, time\nwhile True:\n    time.sleep(0.001)\n    os.fork() and os._exit(0)";
        let script = format!("echo $$ >{}/cgroup.procs && exec \"$@\"", group.display());
        let mut child =
            Command::new("sh").args(["-c", &script, "sh", &PYTHON, "-c", flee, &number]).spawn().unwrap();
        assert!(child.wait().unwrap().success());
        assert!(group_processes::is_populated(&group));
        until("they have ended", async || {
            group_processes::kill(group.clone()).await;
            !group_processes::is_populated(&group)
        })
        .await;
        group_folder::remove(&group).await.unwrap();
        assert_eq!(with_number(&number), []);
        tried += 1;
    }
    if tried == 0 {
        eprintln!("skipped: no control groups can be made here");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_control_groups_processes_are_held_by_an_inherited_limit() {
    delete_all_escaped("control-groups: false", &WITHOUT_GROUPS, "rlimit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_job_starts_before_all_else_is_held_too() {
    for settings in ["control-groups: true", "control-groups: false"] {
        let sandbox = Sandbox::with_settings(&format!("{QUICK}, {settings}"));
        let number = number();
        let variables = format!("runtime_env: {{NUMBER: '{number}'}}\n");
        let secrets = [("NUMBER", number.as_str())];
        let wanted = Wanted {
            name: "adder",
            timestamp: 7,
            mode: "escapes-at-once",
            manifest: &variables,
            secrets: &secrets,
        };
        sandbox.bring_up(&wanted).await.unwrap();
        assert_eq!(with_number(&number).len(), 1);
        sandbox.target().delete_job("adder", "0.0.1").await.unwrap();
        assert_eq!(with_number(&number), []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_leaves_a_process_fails_and_names_it() {
    // What is frozen by somebody else cannot be ended.
    let freezers = group_location::own_groups().into_iter();
    let groups = freezers.map(|folder| folder.join(format!("racetrack-trial-{}", number())));
    let made = |group: &PathBuf| {
        fs::create_dir(group)
            .is_ok_and(|()| group.join("freezer.state").exists() || fs::remove_dir(group).is_err())
    };
    let Some(ice) = groups.into_iter().find(made) else {
        eprintln!("skipped: processes cannot be frozen by control groups of version 1 here");
        return;
    };
    let sandbox = Sandbox::with_settings(&QUICK.replace("grace: 2", "grace: 0.2"));
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    let number = escape(&sandbox, &job, "orphan").await;
    let process = with_number(&number).remove(0);
    fs::write(ice.join("cgroup.procs"), process.pid.to_string()).unwrap();
    fs::write(ice.join("freezer.state"), "FROZEN").unwrap();
    let error = sandbox.target().delete_job("adder", "0.0.1").await.unwrap_err();
    let text = racetrack_core::error::chain(&*error);
    assert_eq!(
        text,
        format!("cannot stop job adder v0.0.1: processes [{}] are still there after SIGKILL", process.pid)
    );
    assert!(process.is_alive());
    assert_eq!(sandbox.status().await[0]["replicas"][0]["pids"], serde_json::json!([process.pid]));
    fs::write(ice.join("freezer.state"), "THAWED").unwrap();
    sandbox.target().delete_job("adder", "0.0.1").await.unwrap();
    assert!(!process.is_alive());
    assert_eq!((sandbox.processes(), sandbox.job_files()), (Vec::new(), Vec::new()));
    until_removed(&ice);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_escaped_from_a_dead_replica_goes_with_it() {
    let sandbox = Sandbox::with_settings(&QUICK.replace("grace: 2", "grace: 0.2"));
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    let number = escape(&sandbox, &job, "daemon").await;
    let former = ProcessIdentity::of(pid_of(&job).await).unwrap();
    // A job that may do so leaves its group in a state in which no process begins.
    let groups = sandbox.control_groups();
    for freezer in groups.iter().map(|group| group.join("cgroup.freeze")).filter(|file| file.exists()) {
        fs::write(freezer, "1").unwrap();
    }
    former.signal(Signal::KILL).unwrap();
    until("it is gone", async || with_number(&number).is_empty()).await;
    // In a group that is not frozen any more.
    until("it runs again", async || {
        let job = sandbox.listed().await.remove(0);
        job.status == racetrack_core::JobStatus::Running && pid_of(&job).await != former.pid
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_escaped_from_a_former_instance_goes_with_it_whoever_removes_it() {
    let mut sandbox = Sandbox::with_settings(&QUICK.replace("drain: 0", "drain: 3600"));
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    let number = escape(&sandbox, &job, "orphan").await;
    let groups = groups_of(&sandbox.processes());
    sandbox.bring_up(&Wanted { timestamp: 8, ..wanted }).await.unwrap();
    assert_eq!(with_number(&number).len(), 1);
    // As if lifecycle had been killed: the next one removes what is retired.
    sandbox.restart();
    sandbox.listed().await;
    until("it is gone", async || with_number(&number).is_empty()).await;
    until("its groups are gone", async || groups.iter().all(|name| group_folders(name).is_empty())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_a_job_made_below_its_own_goes_with_it() {
    if !can_make_groups() {
        return;
    }
    let sandbox = Sandbox::with_settings(&QUICK.replace("grace: 2", "grace: 0.2"));
    let wanted = Wanted { name: "adder", timestamp: 7, ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    let number = escape(&sandbox, &job, "deaf").await;
    let name = groups_of(&sandbox.processes()).remove(0);
    let folder = group_folders(&name).remove(0);
    let below = folder.join("own");
    fs::create_dir(&below).unwrap();
    for process in with_number(&number) {
        fs::write(below.join("cgroup.procs"), process.pid.to_string()).unwrap();
    }
    sandbox.target().delete_job("adder", "0.0.1").await.unwrap();
    assert_eq!(with_number(&number), []);
    assert!(!folder.exists());
}
