//! Memory and CPU limits.

use super::*;

const RESOURCES: &str = "resources: {memory_max: 200Mi, cpu_max: 500m}\n";

#[tokio::test(flavor = "multi_thread")]
async fn without_control_groups_memory_is_limited_by_the_process() {
    let sandbox = Sandbox::with_settings(&format!("{QUICK}, control-groups: false"));
    let wanted = Wanted { name: "adder", timestamp: 7, manifest: RESOURCES, ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    let limits = sandbox.listed().await[0].infrastructure_stats["limits"].clone();
    assert_eq!((&limits["memory_limited_by"], &limits["cpu_limited_by"]), (&"rlimit".into(), &"none".into()));
    assert_eq!((&limits["memory_bytes"], &limits["cpus"]), (&(200 << 20).into(), &0.5.into()));
    assert_eq!(ask(&job, &format!("/allocate/{}", 50 << 20)).await, (50 << 20).to_string());
    assert_eq!(ask(&job, &format!("/allocate/{}", 300 << 20)).await, "MemoryError");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_held_by_whatever_the_statistics_say() {
    let sandbox = Sandbox::new();
    let wanted = Wanted { name: "adder", timestamp: 7, manifest: RESOURCES, ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    let pid = pid_of(&job).await;
    let limits = sandbox.listed().await[0].infrastructure_stats["limits"].clone();
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let in_group = groups.lines().any(|line| line.contains("/racetrack-"));
    let by_group = limits["memory_limited_by"] == "cgroup" || limits["cpu_limited_by"] == "cgroup";
    assert_eq!(in_group, by_group, "{limits} {groups}");
    assert!(limits["memory_limited_by"] != "none", "{limits}");

    sandbox.target().delete_job("adder", "0.0.1").await.unwrap();
    let left = Command::new("find")
        .args(["/sys/fs/cgroup", "-maxdepth", "6", "-name", "racetrack-*"])
        .output()
        .unwrap();
    let mark = groups.lines().find_map(|line| line.split_once("/racetrack-")).map(|(_, mark)| mark);
    let left = String::from_utf8(left.stdout).unwrap();
    assert!(mark.is_none_or(|mark| !left.contains(mark)), "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_resources_is_not_limited() {
    let sandbox = Sandbox::new();
    sandbox.bring_up(&Wanted { name: "adder", timestamp: 7, ..Wanted::default() }).await.unwrap();
    let limits = sandbox.listed().await[0].infrastructure_stats["limits"].clone();
    assert_eq!((&limits["memory_limited_by"], &limits["cpu_limited_by"]), (&"none".into(), &"none".into()));
}

/// Run it on a machine with control groups of version 2: make a group, and name its folder in the variable.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "whoever runs it tells it the group")]
#[ignore = "needs a control group of version 2, named by RACETRACK_TEST_CONTROL_GROUP"]
async fn a_group_that_was_set_aside_holds_the_limits() {
    let folder = std::env::var("RACETRACK_TEST_CONTROL_GROUP").expect("is set");
    let sandbox = Sandbox::with_settings(&format!("{QUICK}, control-group: '{folder}'"));
    let wanted = Wanted { name: "adder", timestamp: 7, manifest: RESOURCES, ..Wanted::default() };
    let job = sandbox.bring_up(&wanted).await.unwrap();
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", pid_of(&job).await)).unwrap();
    let (_, group) = groups.lines().find_map(|line| line.split_once("/racetrack-")).expect("is in a group");
    let group = std::path::PathBuf::from(&folder).join(format!("racetrack-{group}"));
    let limits = sandbox.listed().await[0].infrastructure_stats["limits"].clone();
    let handed_on = fs::read_to_string(format!("{folder}/cgroup.subtree_control")).unwrap();
    let held = [("memory", "memory.max", "209715200\n"), ("cpu", "cpu.max", "50000 100000\n")];
    for (controller, file, limit) in held {
        let limited_by = &limits[format!("{controller}_limited_by")];
        if handed_on.split_whitespace().any(|handed_on| handed_on == controller) {
            assert_eq!(
                (limited_by, fs::read_to_string(group.join(file)).unwrap().as_str()),
                (&"cgroup".into(), limit)
            );
        } else {
            assert_ne!(limited_by, "cgroup");
        }
    }
    sandbox.target().delete_job("adder", "0.0.1").await.unwrap();
    assert!(!group.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_has_the_limit_of_open_files_that_lifecycle_was_started_with() {
    racetrack_core::open_files::note_original_limit(777);
    let sandbox = Sandbox::new();
    let job = sandbox.bring_up(&Wanted { name: "adder", timestamp: 7, ..Wanted::default() }).await.unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", pid_of(&job).await)).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().nth(3), Some("777"), "{files}");
}

#[test]
fn a_control_group_that_cannot_be_used_is_refused_at_the_start() {
    // What is wrong with the settings of a later target is not looked at before.
    let config = "targets: {a: {control-group: /sys/fs/cgroup/none}, b: {log-files: 0}}";
    let context = PluginContext::builder("process-infrastructure", "1.0.0")
        .resource("docs.md", include_bytes!("../../resources/docs.md"))
        .config(config);
    let error = ProcessInfrastructure::from_context(context.build()).err().expect("there is no such group");
    assert_eq!(
        racetrack_core::error::chain(&*error),
        "target `a`: `control-group` cannot be used: /sys/fs/cgroup/none is not a control group of version 2: No such \
         file or directory (os error 2)"
    );
}
