//! Control groups: the limits of a replica, below lifecycle's own group or below one that was set aside for jobs.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::limits::Limits;

/// Where the control groups of replicas are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Below lifecycle's own group, of version 1 or 2, as far as the system allows.
    Own,
    /// Below this folder, a group of version 2 that was set aside for jobs.
    Below(PathBuf),
}

/// Which limits a control group holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupLimits {
    pub(crate) memory: bool,
    pub(crate) cpu: bool,
}

/// A folder that no groups with limits can be made in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnusableGroup {
    #[error("{} is no control group of version 2", path.display())]
    NoGroup {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the control group {} was given neither of the controllers `memory` and `cpu`", .0.display())]
    NoController(PathBuf),
    #[error(
        "the control group {} cannot hand on its controllers; lifecycle's user has to own it, and no process may be in it \
         itself",
        path.display()
    )]
    NotHandedOn {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The period over which CPU time is counted, in microseconds.
const PERIOD: f64 = 100_000.0;

/// The controllers that hold limits.
const CONTROLLERS: [&str; 2] = ["memory", "cpu"];

/// Has a group of version 2 hand on its controllers to the groups below it. One of the two may be missing.
pub(crate) fn prepare(folder: &Path) -> Result<(), UnusableGroup> {
    let path = || folder.to_owned();
    let given = fs::read_to_string(folder.join("cgroup.controllers"))
        .map_err(|source| UnusableGroup::NoGroup { path: path(), source })?;
    let has = |controller: &str| given.split_whitespace().any(|given| given == controller);
    if !CONTROLLERS.into_iter().any(has) {
        return Err(UnusableGroup::NoController(path()));
    }
    for controller in CONTROLLERS.into_iter().filter(|controller| !has(controller)) {
        let group = folder.display();
        tracing::warn!(%group, controller, "the control group of jobs was not given this controller");
    }
    let wanted: Vec<_> =
        CONTROLLERS.into_iter().filter(|controller| has(controller)).map(|name| format!("+{name}")).collect();
    write(&folder.join("cgroup.subtree_control"), &wanted.join(" "))
        .map_err(|source| UnusableGroup::NotHandedOn { path: path(), source })?;
    Ok(())
}

/// Puts a process into a control group made for it and sets its limits there, as far as the system allows.
pub(crate) fn apply(place: &Place, group: &str, pid: i32, limits: &Limits) -> GroupLimits {
    let memory = limits.memory_bytes.map(|bytes| bytes.to_string());
    // The system refuses less than a millisecond in a period.
    let quota = limits.cpus.map(|cpus| format!("{:.0}", (cpus * PERIOD).max(1000.0)));
    match place {
        Place::Own => {
            let memory = memory.is_some_and(|bytes| {
                let version_1 = [("memory.limit_in_bytes", bytes.clone())];
                limit(group, pid, "memory", &version_1, &[("memory.max", bytes)])
            });
            let cpu = quota.is_some_and(|quota| {
                let version_2 = [("cpu.max", format!("{quota} {PERIOD}"))];
                let version_1 = [("cpu.cfs_period_us", format!("{PERIOD}")), ("cpu.cfs_quota_us", quota)];
                limit(group, pid, "cpu", &version_1, &version_2)
            });
            GroupLimits { memory, cpu }
        }
        Place::Below(folder) => {
            let group = folder.join(group);
            let settings = [
                ("memory.max", memory.unwrap_or_else(|| "max".to_owned())),
                ("cpu.max", format!("{} {PERIOD}", quota.unwrap_or_else(|| "max".to_owned()))),
            ];
            join(&group, pid, &settings).unwrap_or_else(|error| {
                tracing::warn!(group = %group.display(), pid, %error, "a job is not in its control group");
                GroupLimits::default()
            })
        }
    }
}

/// Removes the control groups of that name. They have to be empty of processes.
pub(crate) fn remove(place: &Place, group: &str) {
    // The place may have been another one when the group was made.
    let own = CONTROLLERS.into_iter().filter_map(|controller| Some(own_group(controller)?.0));
    let below = match place {
        Place::Own => None,
        Place::Below(folder) => Some(folder.clone()),
    };
    for folder in own.chain(below) {
        match fs::remove_dir(folder.join(group)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(group, %error, "a control group stays behind"),
        }
    }
}

/// Puts a process into a group of version 2 and sets `memory.max` and `cpu.max`, each if the group has the controller.
fn join(group: &Path, pid: i32, [memory, cpu]: &[(&str, String); 2]) -> io::Result<GroupLimits> {
    match fs::create_dir(group) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let set = |(file, value): &(&str, String)| match write(&group.join(file), value) {
        Ok(()) => Ok(value.split(' ').next() != Some("max")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    };
    let limits = GroupLimits { memory: set(memory)?, cpu: set(cpu)? };
    write(&group.join("cgroup.procs"), &pid.to_string())?;
    Ok(limits)
}

/// Writes to a file of a group, which is there or is not.
fn write(file: &Path, value: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(file)?.write_all(value.as_bytes())
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

    /// A folder with these files, as a group has.
    fn group(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn a_group_that_was_set_aside_hands_on_its_controllers() {
        let both =
            group(&[("cgroup.controllers", "cpuset cpu memory pids\n"), ("cgroup.subtree_control", "")]);
        prepare(both.path()).unwrap();
        assert_eq!(fs::read_to_string(both.path().join("cgroup.subtree_control")).unwrap(), "+memory +cpu");

        let refused = |files: &[(&str, &str)]| {
            let folder = group(files);
            let error = prepare(folder.path()).unwrap_err().to_string();
            error.replace(&*folder.path().to_string_lossy(), "GROUP")
        };
        assert_eq!(refused(&[]), "GROUP is no control group of version 2");
        assert_eq!(
            refused(&[("cgroup.controllers", "cpuset pids\n")]),
            "the control group GROUP was given neither of the controllers `memory` and `cpu`"
        );
        assert_eq!(
            refused(&[("cgroup.controllers", "cpu memory\n")]),
            "the control group GROUP cannot hand on its controllers; lifecycle's user has to own it, and no process may be \
             in it itself"
        );
    }

    #[test]
    fn a_replica_joins_its_group_with_the_limits_that_it_has_controllers_for() {
        let limits = Limits { memory_bytes: Some(1 << 20), cpus: Some(0.5) };
        let files = [("racetrack-a/cgroup.procs", ""), ("racetrack-a/cpu.max", "max 100000\n")];
        let folder = group(&files);
        let read = |file: &str| fs::read_to_string(folder.path().join("racetrack-a").join(file)).unwrap();
        let place = Place::Below(folder.path().to_owned());
        let held = apply(&place, "racetrack-a", 4711, &limits);
        assert_eq!(held, GroupLimits { memory: false, cpu: true });
        assert_eq!((read("cpu.max"), read("cgroup.procs")), ("50000 100000".to_owned(), "4711".to_owned()));

        fs::write(folder.path().join("racetrack-a/memory.max"), "").unwrap();
        assert_eq!(apply(&place, "racetrack-a", 4711, &limits), GroupLimits { memory: true, cpu: true });
        assert_eq!(read("memory.max"), "1048576");
    }

    #[test]
    fn a_replica_without_limits_joins_its_group_too() {
        let folder = group(&[("racetrack-a/cgroup.procs", "")]);
        let place = Place::Below(folder.path().to_owned());
        assert_eq!(apply(&place, "racetrack-a", 4711, &Limits::default()), GroupLimits::default());
        let joined = fs::read_to_string(folder.path().join("racetrack-a/cgroup.procs")).unwrap();
        assert_eq!(joined, "4711");
    }
}
