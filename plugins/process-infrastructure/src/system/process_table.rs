//! Which processes of the machine belong to which replica.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::system::group_processes;
use crate::system::inherited_mark::InheritedMark;
use crate::system::process::{ProcessIdentity, ProcessStat, boot_id};

/// The variable that every process of a replica inherits. By it they are found whatever group they have moved to, and
/// whichever lifecycle started them.
pub(crate) const REPLICA_VARIABLE: &str = "RACETRACK_REPLICA";

/// How long processes may take to vanish after SIGKILL.
const LONGEST_DEATH: Duration = Duration::from_secs(20);

/// The living processes of the machine at one moment.
#[derive(Debug)]
pub(crate) struct ProcessTable(Vec<ProcessEntry>);

#[derive(Debug)]
struct ProcessEntry {
    identity: ProcessIdentity,
    group: i32,
    resident_bytes: u64,
    /// The replicas that its environment and its control groups name.
    replicas: Vec<String>,
    inherited: Option<InheritedMark>,
}

/// The processes of one replica: those in its control groups, those that inherited one of its marks, and those in the
/// process group of its first one. A process that has left one of these behind is found by the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplicaProcesses {
    /// The value of [`REPLICA_VARIABLE`].
    pub(crate) mark: String,
    /// The process the replica was started with.
    pub(crate) leader: Option<ProcessIdentity>,
    /// The folders of its control groups.
    pub(crate) groups: Vec<PathBuf>,
}

/// Processes that could not be stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StopError {
    #[error("cannot list the processes of the machine")]
    List(#[source] io::Error),
    #[error("cannot send a signal to process {pid}")]
    Signal {
        pid: i32,
        #[source]
        source: io::Error,
    },
    #[error("processes {0:?} are still there after SIGKILL")]
    Immortal(Vec<i32>),
}

impl ProcessTable {
    /// Looks at every process of the machine.
    pub(crate) async fn read() -> io::Result<Self> {
        tokio::task::spawn_blocking(Self::read_blocking).await.map_err(io::Error::other)?
    }

    /// The living processes of a replica.
    pub(crate) fn members(&self, replica: &ReplicaProcesses) -> Vec<ProcessIdentity> {
        self.entries(replica).map(|entry| entry.identity.clone()).collect()
    }

    /// How much memory they hold, in bytes. Pages they share are counted once for each.
    pub(crate) fn resident_bytes(&self, replica: &ReplicaProcesses) -> u64 {
        self.entries(replica).map(|entry| entry.resident_bytes).sum()
    }

    fn entries(&self, replica: &ReplicaProcesses) -> impl Iterator<Item = &ProcessEntry> {
        // The number of a group is not used again while the process of that number is there, even dead. Once that one
        // is gone the group may be a stranger's, and only the mark counts.
        let group = replica.leader.as_ref().filter(|leader| leader.stat().is_some()).map(|leader| leader.pid);
        let inherited = InheritedMark::of(&replica.mark);
        self.0.iter().filter(move |entry| {
            Some(entry.group) == group
                || entry.replicas.contains(&replica.mark)
                || entry.inherited == Some(inherited)
        })
    }

    fn read_blocking() -> io::Result<Self> {
        let boot_id = boot_id()?;
        let page = u64::try_from(rustix::param::page_size()).expect("a page is smaller than the memory");
        let mut entries = Vec::new();
        for entry in fs::read_dir("/proc")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
                continue;
            };
            // A process may end at any moment of this.
            let Some(stat) = ProcessStat::read(pid).filter(|stat| !stat.is_dead()) else { continue };
            let identity = ProcessIdentity { pid, start_ticks: stat.start_ticks, boot_id: boot_id.clone() };
            let resident_bytes = stat.resident_pages * page;
            let mut replicas = group_processes::replicas_of(pid);
            replicas.extend(mark_of(pid));
            let inherited = InheritedMark::read(pid);
            entries.push(ProcessEntry { identity, group: stat.group, resident_bytes, replicas, inherited });
        }
        Ok(Self(entries))
    }
}

/// Ends every process of the replicas: by SIGTERM, and by SIGKILL those that are there after `grace`. Returns when none
/// is left.
pub(crate) async fn stop(replicas: &[ReplicaProcesses], grace: Duration) -> Result<(), StopError> {
    const POLL: Duration = Duration::from_millis(20);
    let start = Instant::now();
    let mut terminated: Vec<ProcessIdentity> = Vec::new();
    // One look may miss a process that was just being started by another one.
    let mut looks_at_none = 0;
    while looks_at_none < 2 {
        let table = ProcessTable::read().await.map_err(StopError::List)?;
        let members: Vec<_> = replicas.iter().flat_map(|replica| table.members(replica)).collect();
        let groups = replicas.iter().flat_map(|replica| &replica.groups);
        let populated: Vec<_> = groups.filter(|group| group_processes::is_populated(group)).collect();
        if members.is_empty() && populated.is_empty() {
            looks_at_none += 1;
            continue;
        }
        looks_at_none = 0;
        let waited = start.elapsed();
        if waited > grace + LONGEST_DEATH {
            let members = members.iter().map(|member| member.pid);
            let pids = members.chain(populated.iter().flat_map(|group| group_processes::pids(group)));
            return Err(StopError::Immortal(pids.collect::<BTreeSet<_>>().into_iter().collect()));
        }
        if waited >= grace {
            for group in populated {
                group_processes::kill(group.clone()).await;
            }
        }
        for member in members {
            let signal = if waited >= grace {
                Signal::KILL
            } else if terminated.contains(&member) {
                continue;
            } else {
                Signal::TERM
            };
            member.signal(signal).map_err(|source| StopError::Signal { pid: member.pid, source })?;
            terminated.push(member);
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

fn mark_of(pid: i32) -> Option<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let prefix = [REPLICA_VARIABLE.as_bytes(), b"="].concat();
    let value =
        environment.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(&prefix[..]))?;
    String::from_utf8(value.to_vec()).ok()
}
