//! How much memory and CPU a replica may use, and which means of the system holds it to that.

use std::io;

use racetrack_core::open_files::original_limit;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use serde::{Deserialize, Serialize};

/// The limits of one replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Memory in bytes.
    pub(crate) memory_bytes: Option<u64>,
    /// CPUs, possibly a fraction.
    pub(crate) cpus: Option<f64>,
}

/// Which limits a control group holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupLimits {
    pub(crate) memory: bool,
    pub(crate) cpu: bool,
}

/// What holds a replica to its limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppliedLimits {
    /// What limits its memory: `cgroup`, `rlimit` or `none`.
    pub(crate) memory: String,
    /// What limits its CPU time: `cgroup` or `none`.
    pub(crate) cpu: String,
}

impl Limits {
    /// Holds a process just started, and all that it starts, to the limits that its control group does not hold.
    pub(crate) fn apply(&self, pid: i32, by_group: GroupLimits) -> AppliedLimits {
        let memory = match self.memory_bytes {
            None => "none",
            Some(_) if by_group.memory => "cgroup",
            Some(bytes) => match limit_data(pid, bytes) {
                Ok(()) => "rlimit",
                Err(error) => {
                    tracing::warn!(pid, %error, "the memory of this process of a job cannot be limited");
                    "none"
                }
            },
        };
        let cpu = if by_group.cpu { "cgroup" } else { "none" };
        AppliedLimits { memory: memory.to_owned(), cpu: cpu.to_owned() }
    }
}

/// Gives a process just started the limit of open files that lifecycle was started with.
pub(crate) fn restore_open_files(pid: i32) -> io::Result<()> {
    if let Some(limit) = original_limit() {
        let limit = Rlimit { current: Some(limit), maximum: getrlimit(Resource::Nofile).maximum };
        prlimit(Pid::from_raw(pid), Resource::Nofile, limit)?;
    }
    Ok(())
}

/// Limits what the process allocates. The address space is not limited instead of it: programs with threads reserve
/// far more of that than they ever use.
fn limit_data(pid: i32, bytes: u64) -> io::Result<()> {
    let limit = Rlimit { current: Some(bytes), maximum: Some(bytes) };
    prlimit(Pid::from_raw(pid), Resource::Data, limit)?;
    Ok(())
}
