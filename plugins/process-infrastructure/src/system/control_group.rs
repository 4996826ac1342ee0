//! Control groups: they hold the processes of a replica and limit them, below lifecycle's own group or below one that
//! was set aside for jobs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::system::group_folder::{remove_tree, write};
use crate::system::group_location;
use crate::system::limits::{GroupLimits, Limits};

/// Where the control groups of replicas are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Below lifecycle's own group, of version 1 or 2, as far as the system allows.
    Own,
    /// Below this folder, a group of version 2 that was set aside for jobs.
    Below(PathBuf),
}

/// The control groups that a process was put into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupMembership {
    pub(crate) groups: Vec<PathBuf>,
    pub(crate) limits: GroupLimits,
}

/// A folder that no groups with limits can be made in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnusableGroup {
    #[error("{} is not a control group of version 2", path.display())]
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

/// Puts a process into control groups made for it and sets its limits there, as far as the system allows. One of them
/// holds the processes of the replica, with limits or without.
pub(crate) fn hold(place: &Place, group: &str, pid: i32, limits: &Limits) -> GroupMembership {
    let memory = limits.memory_bytes.map(|bytes| bytes.to_string());
    // The system refuses less than a millisecond in a period.
    let quota = limits.cpus.map(|cpus| format!("{:.0}", (cpus * PERIOD).max(1000.0)));
    match place {
        Place::Own => {
            let memory = memory.and_then(|bytes| {
                let version_1 = [("memory.limit_in_bytes", bytes.clone())];
                limit(group, pid, "memory", &version_1, &[("memory.max", bytes)])
            });
            let cpu = quota.and_then(|quota| {
                let version_2 = [("cpu.max", format!("{quota} {PERIOD}"))];
                let version_1 = [("cpu.cfs_period_us", format!("{PERIOD}")), ("cpu.cfs_quota_us", quota)];
                limit(group, pid, "cpu", &version_1, &version_2)
            });
            let limits = GroupLimits { memory: memory.is_some(), cpu: cpu.is_some() };
            let mut groups: Vec<_> = memory.into_iter().chain(cpu).collect();
            for folder in group_location::own_groups() {
                let group = folder.join(group);
                if groups.contains(&group) {
                    break;
                }
                if enter(&group, pid, &[]) {
                    groups.push(group);
                    break;
                }
            }
            groups.dedup();
            GroupMembership { groups, limits }
        }
        Place::Below(folder) => {
            let group = folder.join(group);
            let settings = [
                ("memory.max", memory.unwrap_or_else(|| "max".to_owned())),
                ("cpu.max", format!("{} {PERIOD}", quota.unwrap_or_else(|| "max".to_owned()))),
            ];
            match join(&group, pid, &settings) {
                Ok(limits) => GroupMembership { groups: vec![group], limits },
                Err(error) => {
                    tracing::warn!(group = %group.display(), pid, %error, "a job is not in its control group");
                    GroupMembership::default()
                }
            }
        }
    }
}

/// Where groups of that name may be, now or from an earlier start of a lifecycle that runs as this one does.
pub(crate) fn possible(place: &Place, group: &str) -> Vec<PathBuf> {
    let mut folders = group_location::own_groups();
    // The place may have been another one when the group was made.
    folders.extend(match place {
        Place::Own => None,
        Place::Below(folder) => Some(folder.clone()),
    });
    folders.into_iter().map(|folder| folder.join(group)).collect()
}

/// Puts a process into a group of version 2 and sets `memory.max` and `cpu.max`, each if the group has the controller.
fn join(group: &Path, pid: i32, [memory, cpu]: &[(&str, String); 2]) -> io::Result<GroupLimits> {
    renew(group);
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

/// Takes an empty group away that an earlier process of the replica was in: a job may have changed it. One that the
/// process has joined already is not empty, and stays.
fn renew(group: &Path) {
    if let Err(error) = remove_tree(group) {
        tracing::debug!(group = %group.display(), %error, "this control group is used again as it is");
    }
}

/// The group in which the process is limited, if it is.
fn limit(
    group: &str,
    pid: i32,
    controller: &str,
    version_1: &[(&str, String)],
    version_2: &[(&str, String)],
) -> Option<PathBuf> {
    let (folder, version) = group_location::own_group(controller)?;
    let group = folder.join(group);
    enter(&group, pid, if version == 1 { version_1 } else { version_2 }).then_some(group)
}

/// Makes a group, sets it up and puts the process into it; false if the system does not allow that.
fn enter(group: &Path, pid: i32, settings: &[(&str, String)]) -> bool {
    renew(group);
    let set = || -> io::Result<()> {
        if !group.is_dir() {
            fs::create_dir(group)?;
        }
        for (file, value) in settings {
            write(&group.join(file), value)?;
        }
        write(&group.join("cgroup.procs"), &pid.to_string())
    };
    match set() {
        Ok(()) => true,
        Err(error) => {
            tracing::debug!(group = %group.display(), %error, "this control group cannot be used");
            // It may hold processes of the other limit (version 2 has one group for both), and then it stays.
            drop(fs::remove_dir(group));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(refused(&[]), "GROUP is not a control group of version 2");
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
        let held = hold(&place, "racetrack-a", 4711, &limits);
        assert_eq!(held.limits, GroupLimits { memory: false, cpu: true });
        assert_eq!(held.groups, [folder.path().join("racetrack-a")]);
        assert_eq!((read("cpu.max"), read("cgroup.procs")), ("50000 100000".to_owned(), "4711".to_owned()));

        fs::write(folder.path().join("racetrack-a/memory.max"), "").unwrap();
        let held = hold(&place, "racetrack-a", 4711, &limits);
        assert_eq!(held.limits, GroupLimits { memory: true, cpu: true });
        assert_eq!(read("memory.max"), "1048576");
    }

    #[test]
    fn a_replica_without_limits_joins_its_group_too() {
        let folder = group(&[("racetrack-a/cgroup.procs", "")]);
        let place = Place::Below(folder.path().to_owned());
        let held = hold(&place, "racetrack-a", 4711, &Limits::default());
        assert_eq!((held.limits, held.groups.len()), (GroupLimits::default(), 1));
        let joined = fs::read_to_string(folder.path().join("racetrack-a/cgroup.procs")).unwrap();
        assert_eq!(joined, "4711");
    }
}
