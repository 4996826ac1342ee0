//! A mark that processes hand on to their children and do not lose with their environment, their session or their name.

use std::fs;
use std::io;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

/// The mark of a replica: a number, kept as the limit of file locks (`RLIMIT_LOCKS`). Linux hands limits on whatever a
/// process does, and has not counted file locks since its version 2.4.25, so the number limits nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InheritedMark(u64);

impl InheritedMark {
    /// The number for the mark of a replica. It stays the same, as processes outlive this program.
    pub(crate) fn of(mark: &str) -> Self {
        // FNV-1a. The two highest bits are fixed: the number is large, and not the one for "unlimited".
        let hash = mark.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self((hash >> 2) | 1 << 61)
    }

    /// Marks a process, and whatever it starts from now on. Without privileges it cannot take the mark off, but may
    /// change it to a smaller number.
    pub(crate) fn put_on(self, pid: i32) -> io::Result<()> {
        let limit = Rlimit { current: Some(self.0), maximum: Some(self.0) };
        prlimit(Pid::from_raw(pid), Resource::Locks, limit)?;
        Ok(())
    }

    /// The number that a process has, if any.
    pub(crate) fn read(pid: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/limits")).ok()?)
    }

    fn parse(limits: &str) -> Option<Self> {
        let line = limits.lines().find_map(|line| line.strip_prefix("Max file locks"))?;
        // The second one: what the process may use of it is of no interest.
        line.split_ascii_whitespace().nth(1)?.parse().ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_differ_and_stay_as_they_are() {
        assert_eq!(InheritedMark::of("00ff-0"), InheritedMark(0x3df4_9506_f5aa_faf2));
        assert_ne!(InheritedMark::of("00ff-0"), InheritedMark::of("00ff-1"));
    }

    #[test]
    fn a_mark_is_found_among_the_limits() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max locked memory         8388608              8388608              bytes     \n\
                      Max file locks            17                   18                   locks     \n";
        assert_eq!(InheritedMark::parse(limits), Some(InheritedMark(18)));
        assert_eq!(InheritedMark::parse(&limits.replace("18 ", "unlimited")), None);
    }
}
