//! The time, for what the store dates itself.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 that never repeat, so that sorting by them is sorting by the order of events.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    last: AtomicI64,
}

impl Clock {
    /// Goes on from what was dated last, by an earlier process: the clock of the machine may have been set
    /// back since.
    pub(crate) const fn after(last: i64) -> Self {
        Self { last: AtomicI64::new(last) }
    }

    /// The time, or a millisecond after the last answer if that is later.
    pub(crate) fn tick(&self) -> i64 {
        let now = now();
        let later = |last: i64| now.max(last.saturating_add(1));
        match self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(later(last))) {
            Ok(last) | Err(last) => later(last),
        }
    }
}

/// The time of the machine in seconds since 1970, which may repeat. For what is compared with the time of the
/// machine again: when something ends, rather than what came first.
pub(crate) fn now_in_seconds() -> i64 {
    seconds(now())
}

/// The time since the machine was started, which counts while it is suspended and goes on when its clock is
/// set: for what others go by as well, such as the end of a lease.
#[cfg(target_os = "linux")]
pub(crate) fn since_boot() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    let time = clock_gettime(ClockId::Boottime);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanoseconds)
}

/// The same, as far as the standard library knows it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn since_boot() -> Duration {
    static FIRST: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    FIRST.elapsed()
}

fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX - 1)
}

/// The second a millisecond is in.
pub(crate) const fn seconds(milliseconds: i64) -> i64 {
    milliseconds.div_euclid(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_ticks_are_equal() {
        let clock = Clock::default();
        let ticks: Vec<i64> = (0..1000).map(|_| clock.tick()).collect();
        assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(seconds(ticks[0]) > 1_700_000_000);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_time_since_the_start_is_that_of_the_system() {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!((since_boot().as_secs_f64() - seconds).abs() < 30.0);
    }

    #[test]
    fn a_clock_that_was_set_back_dates_nothing_before_what_is_there() {
        let ahead = now() + 7_200_000;
        let clock = Clock::after(ahead);
        assert_eq!([clock.tick(), clock.tick()], [ahead + 1, ahead + 2]);
        assert!(now_in_seconds() < seconds(ahead));
    }
}
