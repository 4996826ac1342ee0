//! One process of the machine: who it is, and how it is signalled, waited for and reaped.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, waitpid};
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A process, told from every other one that ever had or will have its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessIdentity {
    /// Its number, which is used again after it.
    pub(crate) pid: i32,
    /// When it was started, in clock ticks since the system was.
    pub(crate) start_ticks: u64,
    /// The start of the system that this is counted from.
    pub(crate) boot_id: String,
}

/// What the system tells of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessStat {
    /// One letter; `Z` and `X` are dead.
    pub(crate) state: char,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) start_ticks: u64,
    pub(crate) resident_pages: u64,
}

impl ProcessIdentity {
    /// The process that has this number now.
    pub(crate) fn of(pid: i32) -> io::Result<Self> {
        let stat = ProcessStat::read(pid)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("there is no process {pid}")))?;
        Ok(Self { pid, start_ticks: stat.start_ticks, boot_id: boot_id()? })
    }

    /// Whether the process runs. One that has ended and was not yet reaped does not.
    pub(crate) fn is_alive(&self) -> bool {
        self.stat().is_some_and(|stat| !stat.is_dead())
    }

    /// What the system tells of it; nothing if it is gone, even if its number is used again.
    pub(crate) fn stat(&self) -> Option<ProcessStat> {
        let stat = ProcessStat::read(self.pid)?;
        let same = stat.start_ticks == self.start_ticks && boot_id().is_ok_and(|id| id == self.boot_id);
        same.then_some(stat)
    }

    /// Sends a signal to the process, and to no other. That it is gone is no error.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        let Some(pid) = Pid::from_raw(self.pid) else { return Ok(()) };
        let sent = match pidfd_open(pid, PidfdFlags::empty()) {
            // The descriptor holds on to whichever process has the number now: it is the right one, or none.
            Ok(descriptor) if self.is_alive() => pidfd_send_signal(&descriptor, signal),
            Ok(_) => Ok(()),
            Err(Errno::NOSYS | Errno::PERM) if self.is_alive() => rustix::process::kill_process(pid, signal),
            Err(error) => Err(error),
        };
        match sent {
            Err(Errno::SRCH | Errno::NOSYS | Errno::INVAL) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until the process has ended. It need not be a child of this one.
    pub(crate) async fn ended(&self) {
        const POLL: Duration = Duration::from_millis(200);
        let pid = Pid::from_raw(self.pid);
        let descriptor = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()).and_then(readable);
        while self.is_alive() {
            match &descriptor {
                // A wake-up is no proof: the loop looks again, and the pause keeps an odd system from spinning.
                Some(descriptor) => {
                    if let Ok(mut ready) = descriptor.readable().await
                        && self.is_alive()
                    {
                        ready.clear_ready();
                        tokio::time::sleep(POLL).await;
                    }
                }
                None => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Frees the number of an ended child of this process, and tells how it ended if that is known.
    pub(crate) fn reap(&self) -> Option<String> {
        // Only a dead child that is certainly this process: waiting for a number alone could take the result of
        // another child away from whoever waits for that.
        let stat = self.stat()?;
        if !stat.is_dead() || u32::try_from(stat.parent) != Ok(std::process::id()) {
            return None;
        }
        let (_, status) = waitpid(Pid::from_raw(self.pid), WaitOptions::NOHANG).ok()??;
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Some(format!("exited with code {code}")),
            (None, Some(signal)) => Some(format!("was killed by signal {signal}")),
            (None, None) => None,
        }
    }
}

impl ProcessStat {
    /// What the system tells of the process with this number.
    pub(crate) fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether the process has ended and was not yet reaped.
    pub(crate) const fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    fn parse(content: &[u8]) -> Option<Self> {
        // The second field is the name of the program in brackets, which may hold anything, brackets included.
        let end_of_name = content.iter().rposition(|byte| *byte == b')')?;
        let rest = std::str::from_utf8(&content[end_of_name + 1..]).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        Some(Self {
            state: field(3)?.chars().next()?,
            parent: field(4)?.parse().ok()?,
            group: field(5)?.parse().ok()?,
            start_ticks: field(22)?.parse().ok()?,
            resident_pages: field(24)?.parse().ok()?,
        })
    }
}

/// Names the start of the system that times of processes are counted from.
pub(crate) fn boot_id() -> io::Result<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned())
}

/// A descriptor that can be waited for until it is readable, as one of a process is when that has ended; `None` where the
/// system cannot watch it.
#[allow(
    deprecated,
    reason = "the successor is unsafe for types that could change their descriptor; an OwnedFd cannot, and this crate \
              has no unsafe code"
)]
pub(crate) fn readable(descriptor: OwnedFd) -> Option<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(descriptor, Interest::READABLE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_programs_do_not_confuse() {
        let stat = b"42 (a) R 1 (b)) S 7 8 9 0 -1 4 5 6 7 8 9 10 11 12 20 0 1 0 12345 999 77 18\n";
        let expected =
            ProcessStat { state: 'S', parent: 7, group: 8, start_ticks: 12345, resident_pages: 77 };
        assert_eq!(ProcessStat::parse(stat), Some(expected));
        assert_eq!(ProcessStat::parse(b"42 (a) S 7"), None);
    }

    #[test]
    fn a_process_of_another_time_is_not_this_one() {
        let own = ProcessIdentity::of(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(own.is_alive());
        let earlier = ProcessIdentity { start_ticks: own.start_ticks - 1, ..own.clone() };
        let other_boot = ProcessIdentity { boot_id: "another".to_owned(), ..own };
        for stranger in [earlier, other_boot] {
            assert!(!stranger.is_alive());
            // Would end this test if it were delivered.
            stranger.signal(Signal::KILL).unwrap();
        }
    }
}
