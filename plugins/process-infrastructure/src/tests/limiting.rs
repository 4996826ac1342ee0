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
