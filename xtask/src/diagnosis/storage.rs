//! Room on the disk, and what takes it.

use anyhow::Result;

use super::Finding;
use racetrack_composer::checkout::Checkout;
use racetrack_composer::declaration::Declaration;
use racetrack_composer::garbage::{self, KEPT_DAYS, Rule};
use racetrack_composer::quantity::{counted, shown_bytes};

/// A build of both components of the checkout from nothing takes about as much.
const NEEDED: u64 = 2_000_000_000;
/// Below this, a few more profiles fill the disk.
const COMFORTABLE: u64 = 10_000_000_000;

/// Looks at the disk and at `.racetrack/`.
pub(crate) fn storage(declaration: &Declaration, checkout: &Checkout) -> Result<Vec<Finding>> {
    let mut found: Vec<_> = disk(free(checkout)).into_iter().collect();
    let stale = garbage::find(declaration, checkout, Rule::unused_for(KEPT_DAYS))?;
    let store = shown_bytes(garbage::size(&checkout.store())?);
    found.push(if stale.is_empty() {
        Finding::fine("store", format!("{store}, nothing stale"))
    } else {
        let bytes = shown_bytes(stale.iter().map(|garbage| garbage.bytes).sum());
        let things = counted(stale.len(), "stale thing");
        Finding::note(
            "store",
            format!("{store}; {things} in .racetrack/ with {bytes}"),
            "no build needs that any more",
            "run `cargo xtask gc`",
        )
    });
    Ok(found)
}

fn disk(free: Option<u64>) -> Option<Finding> {
    let free = free?;
    let what = format!("{} free", shown_bytes(free));
    let why = "compiled crates take some gigabytes, and a build that fills the disk fails";
    let help = "make room; `cargo xtask gc --all` removes what was compiled";
    Some(match free {
        0..NEEDED => Finding::wrong("disk", what, why, help),
        NEEDED..COMFORTABLE => Finding::note("disk", what, why, help),
        _ => Finding::fine("disk", what),
    })
}

/// The room that is left for us where the checkout is, in bytes; nothing where the system does not say.
#[cfg(unix)]
fn free(checkout: &Checkout) -> Option<u64> {
    let found = rustix::fs::statvfs(&checkout.root).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free(_: &Checkout) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Verdict;

    #[test]
    fn the_less_room_the_worse() {
        let verdict = |free| disk(Some(free)).map(|finding| finding.verdict);
        assert_eq!(verdict(NEEDED - 1), Some(Verdict::Wrong));
        assert_eq!(verdict(NEEDED), Some(Verdict::Note));
        assert_eq!(verdict(COMFORTABLE), Some(Verdict::Fine));
        assert_eq!(disk(None), None);
    }
}
