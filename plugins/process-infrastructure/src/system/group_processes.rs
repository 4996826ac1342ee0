//! The processes in a control group, whatever they have done to leave everything else behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::system::group_folder::{subgroups, write};

/// What the names of the groups of replicas begin with.
const PREFIX: &str = "racetrack-";

/// How often it is looked whether a group is frozen.
const ATTEMPTS: u32 = 250;

/// How a group is frozen: by which file, and what is written there to freeze and to thaw it.
const FREEZERS: [(&str, &str, &str); 2] =
    [("freezer.state", "FROZEN", "THAWED"), ("cgroup.freeze", "1", "0")];

/// The name of the group of a replica.
pub(crate) fn name_of(mark: &str) -> String {
    format!("{PREFIX}{mark}")
}

/// The replicas whose groups a process is in, by their marks.
pub(crate) fn replicas_of(pid: i32) -> Vec<String> {
    fs::read_to_string(format!("/proc/{pid}/cgroup")).map(|groups| replicas_in(&groups)).unwrap_or_default()
}

/// Whether a process is in a group or in one below it.
pub(crate) fn is_populated(group: &Path) -> bool {
    // In version 2 this counts those that this process may not see, too.
    match fs::read_to_string(group.join("cgroup.events")) {
        Ok(events) => events.lines().any(|line| line == "populated 1"),
        Err(_) => !pids(group).is_empty(),
    }
}

/// The numbers of the processes in a group and in those below it.
pub(crate) fn pids(group: &Path) -> Vec<i32> {
    let own = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let own = own.lines().filter_map(|line| line.parse().ok()).collect::<Vec<i32>>();
    own.into_iter().chain(subgroups(group).iter().flat_map(|group| pids(group))).collect()
}

/// Ends all processes of a group at once, where the system can: no fork is faster.
pub(crate) async fn kill(group: PathBuf) {
    if let Err(error) = tokio::task::spawn_blocking(move || kill_blocking(&group)).await {
        tracing::error!(%error, "the end of a control group was broken off");
    }
}

fn replicas_in(groups: &str) -> Vec<String> {
    let paths = groups.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths
        .flat_map(|path| path.split('/'))
        .filter_map(|name| name.strip_prefix(PREFIX))
        .map(str::to_owned)
        .collect()
}

/// [`kill`], on this thread.
pub(crate) fn kill_blocking(group: &Path) {
    if write(&group.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    for subgroup in subgroups(group) {
        kill_blocking(&subgroup);
    }
    // Where a group cannot be frozen, its processes are ended one by one, by whoever knows that their numbers are still
    // theirs.
    let Some((file, frozen, thawed)) = FREEZERS.into_iter().find(|(file, ..)| group.join(file).exists())
    else {
        return;
    };
    let state = group.join(file);
    if write(&state, frozen).is_err() {
        return;
    }
    for _ in 0..ATTEMPTS {
        if is_frozen(group, &state) {
            for pid in pids(group).into_iter().filter_map(Pid::from_raw) {
                match kill_process(pid, Signal::KILL) {
                    Err(error) if error != Errno::SRCH => {
                        tracing::warn!(pid = pid.as_raw_pid(), %error, "a process of a job cannot be ended");
                    }
                    _ => {}
                }
            }
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    if let Err(error) = write(&state, thawed) {
        tracing::warn!(group = %group.display(), %error, "a control group cannot be thawed");
    }
}

fn is_frozen(group: &Path, state: &Path) -> bool {
    match fs::read_to_string(group.join("cgroup.events")) {
        Ok(events) => events.lines().any(|line| line == "frozen 1"),
        Err(_) => fs::read_to_string(state).is_ok_and(|state| state.trim() == "FROZEN"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replicas_of_a_process_are_told_by_its_groups() {
        let groups =
            "9:name=systemd:/\n4:memory:/a/racetrack-1f-0\n0::/b/racetrack-1f-0/own/racetrack-2e-1\n";
        assert_eq!(replicas_in(groups), ["1f-0", "1f-0", "2e-1"]);
        assert_eq!(replicas_in("0::/system.slice/racetrack.service\n"), [""; 0]);
    }

    #[test]
    fn a_group_is_populated_by_what_is_below_it_too() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("own");
        fs::create_dir(&below).unwrap();
        fs::write(folder.path().join("cgroup.procs"), "").unwrap();
        fs::write(below.join("cgroup.procs"), "17\n18\n").unwrap();
        assert_eq!((is_populated(folder.path()), pids(folder.path())), (true, vec![17, 18]));
        fs::write(folder.path().join("cgroup.events"), "populated 0\nfrozen 0\n").unwrap();
        assert!(!is_populated(folder.path()));
        assert!(!is_populated(&folder.path().join("none")));
    }
}
