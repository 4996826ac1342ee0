//! Where the control groups of replicas can be made: below those that lifecycle itself is in.

use std::fs;
use std::path::{Path, PathBuf};

/// The hierarchies of version 1 that can hold the processes of a replica, the best first: what is frozen cannot fork
/// while it is ended.
const HOLDING: [&str; 4] = ["freezer", "pids", "memory", "cpu"];

/// Lifecycle's own groups that can hold the processes of replicas, the best first: in version 2 the system ends all
/// processes of a group at once.
pub(crate) fn own_groups() -> Vec<PathBuf> {
    let Some((groups, mounts)) = read() else { return Vec::new() };
    let version_1 = HOLDING.into_iter().filter_map(|name| find_version_1(name, &groups, &mounts));
    find_version_2(&groups, &mounts).into_iter().chain(version_1).collect()
}

/// The control group of lifecycle for a controller, below which groups can be made, and its version.
pub(crate) fn own_group(controller: &str) -> Option<(PathBuf, u8)> {
    let (groups, mounts) = read()?;
    find_group(controller, &groups, &mounts)
}

fn read() -> Option<(String, String)> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    Some((groups, mounts))
}

fn find_group(controller: &str, groups: &str, mounts: &str) -> Option<(PathBuf, u8)> {
    if own_path(controller, groups).is_some() {
        return find_version_1(controller, groups, mounts).map(|folder| (folder, 1));
    }
    find_version_2(groups, mounts).map(|folder| (folder, 2))
}

fn find_version_1(controller: &str, groups: &str, mounts: &str) -> Option<PathBuf> {
    mounted(own_path(controller, groups)?, "cgroup", controller, mounts)
}

fn find_version_2(groups: &str, mounts: &str) -> Option<PathBuf> {
    mounted(own_path("", groups)?, "cgroup2", "rw", mounts)
}

/// The path of the own group in the hierarchy of a controller; that of version 2 has none.
fn own_path<'a>(controller: &str, groups: &'a str) -> Option<&'a str> {
    let mut lines = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        Some((parts.next()?, parts.next()?))
    });
    lines.find(|(names, _)| names.split(',').any(|name| name == controller)).map(|(_, path)| path)
}

/// The folder of a group, where its hierarchy is mounted with that option.
fn mounted(group: &str, file_system: &str, option: &str, mounts: &str) -> Option<PathBuf> {
    let mount = mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let fits = kind.next()? == file_system && kind.nth(1)?.split(',').any(|name| name == option);
        let mut place = place.split(' ').skip(3);
        fits.then_some((place.next()?, place.next()?))
    });
    let (root, point) = mount?;
    // The mount shows the hierarchy from `root` downwards.
    let below = Path::new(group).strip_prefix(root).ok()?;
    Some(Path::new(point).join(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_in_both_versions() {
        let groups = "4:memory:/docker/abc\n1:cpu,cpuacct:/\n0::/\n";
        let mounts = "35 31 0:32 /docker /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
                      32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n";
        let found = |controller| find_group(controller, groups, mounts);
        assert_eq!(found("memory"), Some((PathBuf::from("/sys/fs/cgroup/memory/abc"), 1)));
        assert_eq!(found("cpu"), Some((PathBuf::from("/sys/fs/cgroup/cpu/"), 1)));
        assert_eq!(found("blkio"), None);
        assert_eq!(find_version_2(groups, mounts), None);

        let beside = "40 31 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let mounts = format!("{mounts}{beside}");
        assert_eq!(find_version_2(groups, &mounts), Some(PathBuf::from("/sys/fs/cgroup/unified/")));

        let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let own = "0::/user.slice/racetrack.service\n";
        assert_eq!(
            find_group("memory", own, mounts),
            Some((PathBuf::from("/sys/fs/cgroup/user.slice/racetrack.service"), 2))
        );
    }
}
