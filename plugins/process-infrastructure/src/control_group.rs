//! Control groups, of version 1 and 2: the limits of a replica, where lifecycle may make groups below its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::limits::Limits;

/// Which limits a control group holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupLimits {
    pub(crate) memory: bool,
    pub(crate) cpu: bool,
}

/// The period over which CPU time is counted, in microseconds.
const PERIOD: f64 = 100_000.0;

/// Puts a process into a control group made for it and sets its limits there, as far as the system allows.
pub(crate) fn apply(group: &str, pid: i32, limits: &Limits) -> GroupLimits {
    let memory = limits.memory_bytes.is_some_and(|bytes| {
        let version_1 = [("memory.limit_in_bytes", bytes.to_string())];
        let version_2 = [("memory.max", bytes.to_string())];
        limit(group, pid, "memory", &version_1, &version_2)
    });
    let cpu = limits.cpus.is_some_and(|cpus| {
        // The system refuses less than a millisecond in a period.
        let quota = (cpus * PERIOD).max(1000.0);
        let version_1 =
            [("cpu.cfs_period_us", format!("{PERIOD}")), ("cpu.cfs_quota_us", format!("{quota:.0}"))];
        let version_2 = [("cpu.max", format!("{quota:.0} {PERIOD}"))];
        limit(group, pid, "cpu", &version_1, &version_2)
    });
    GroupLimits { memory, cpu }
}

/// Removes the control groups of that name. They have to be empty of processes.
pub(crate) fn remove(group: &str) {
    for controller in ["memory", "cpu"] {
        let Some((folder, _)) = own_group(controller) else { continue };
        match fs::remove_dir(folder.join(group)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(group, %error, "a control group stays behind"),
        }
    }
}

fn limit(
    group: &str,
    pid: i32,
    controller: &str,
    version_1: &[(&str, String)],
    version_2: &[(&str, String)],
) -> bool {
    let Some((folder, version)) = own_group(controller) else { return false };
    let settings = if version == 1 { version_1 } else { version_2 };
    let group = folder.join(group);
    let set = || -> io::Result<()> {
        if !group.is_dir() {
            fs::create_dir(&group)?;
        }
        for (file, value) in settings {
            fs::write(group.join(file), value)?;
        }
        fs::write(group.join("cgroup.procs"), pid.to_string())
    };
    match set() {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(group = %group.display(), %error, "this control group cannot be used");
            // It may hold processes of the other limit (version 2 has one group for both), and then it stays.
            drop(fs::remove_dir(&group));
            false
        }
    }
}

/// The control group of lifecycle for a controller, below which groups can be made, and its version.
fn own_group(controller: &str) -> Option<(PathBuf, u8)> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    find_group(controller, &groups, &mounts)
}

fn find_group(controller: &str, groups: &str, mounts: &str) -> Option<(PathBuf, u8)> {
    let lines = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        Some((parts.next()?, parts.next()?))
    });
    let own = |wanted: &str| {
        lines.clone().find(|(names, _)| names.split(',').any(|name| name == wanted)).map(|(_, path)| path)
    };
    let folder = |file_system: &str, option: &str, path: &str| {
        let mount = mounts.lines().find_map(|line| {
            let (place, kind) = line.split_once(" - ")?;
            let mut kind = kind.split(' ');
            let fits = kind.next()? == file_system && kind.nth(1)?.split(',').any(|name| name == option);
            let mut place = place.split(' ').skip(3);
            fits.then_some((place.next()?, place.next()?))
        });
        let (root, point) = mount?;
        // The mount shows the hierarchy from `root` downwards.
        let below = Path::new(path).strip_prefix(root).ok()?;
        Some(Path::new(point).join(below))
    };
    if let Some(path) = own(controller) {
        return folder("cgroup", controller, path).map(|folder| (folder, 1));
    }
    folder("cgroup2", "rw", own("")?).map(|folder| (folder, 2))
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

        let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let own = "0::/user.slice/racetrack.service\n";
        assert_eq!(
            find_group("memory", own, mounts),
            Some((PathBuf::from("/sys/fs/cgroup/user.slice/racetrack.service"), 2))
        );
    }
}
