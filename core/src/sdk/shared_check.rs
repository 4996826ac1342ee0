//! A check that many ask for, such as whether a disk can be written.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::sdk::trouble::Trouble;

/// A check that many ask for: it is made by one at a time, its outcome is good for a while, and the log reports
/// when it begins to fail and when that is over.
///
/// ```
/// # use std::time::Duration;
/// use racetrack_core::shared_check::{SharedCheck, Transition};
///
/// # async fn check(disk: SharedCheck<std::io::Error>) {
/// let outcome = disk.outcome(
///     Duration::from_secs(1),
///     async { std::fs::write("probe", "") },
///     |transition| match transition {
///         Transition::Failure(error) => println!("the disk cannot be written: {error}"),
///         Transition::Recovery => println!("the disk can be written again"),
///     },
/// );
/// assert!(outcome.await.is_ok());
/// # }
/// ```
#[derive(Debug)]
pub struct SharedCheck<E> {
    /// Whoever checks has it.
    turn: futures_util::lock::Mutex<()>,
    /// The last outcome, and when it came.
    last: Mutex<Option<(Instant, Outcome<E>)>>,
    trouble: Trouble,
}

/// The outcome of a check. All who asked for it share the reason of a failure.
pub type Outcome<E> = Result<(), Arc<E>>;

/// What is worth a line in the log.
#[derive(Debug, PartialEq, Eq)]
pub enum Transition<'a, E> {
    /// The check fails for the first time, or for the first time since it succeeded.
    Failure(&'a E),
    /// The check succeeds for the first time since it failed.
    Recovery,
}

impl<E> SharedCheck<E> {
    /// No check has been made yet.
    pub fn new() -> Self {
        Self { turn: futures_util::lock::Mutex::new(()), last: Mutex::new(None), trouble: Trouble::new() }
    }

    /// The last outcome if it is younger than `good_for`, or else that of a new check, which waits until no other
    /// is under way. Where the new outcome is a change, `report` is called.
    ///
    /// # Errors
    /// Why the check fails.
    pub async fn outcome(
        &self,
        good_for: Duration,
        check: impl Future<Output = Result<(), E>>,
        report: impl FnOnce(Transition<'_, E>),
    ) -> Outcome<E> {
        let _turn = self.turn.lock().await;
        if let Some(outcome) = self.last(good_for) {
            return outcome;
        }
        let outcome = check.await;
        match &outcome {
            Ok(()) if self.trouble.ends() => report(Transition::Recovery),
            Err(error) if self.trouble.begins() => report(Transition::Failure(error)),
            _ => {}
        }
        let outcome = outcome.map_err(Arc::new);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), outcome.clone()));
        outcome
    }

    /// The last outcome if it is younger than `age`. Does not wait for a check that is under way.
    pub fn last(&self, age: Duration) -> Option<Outcome<E>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let young = last.as_ref().filter(|(time, _)| time.elapsed() < age);
        young.map(|(_, outcome)| outcome.clone())
    }
}

impl<E> Clone for Transition<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Transition<'_, E> {}

impl<E> Default for SharedCheck<E> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn, ready};
    use std::iter;
    use std::task::Poll;

    use futures_util::FutureExt;
    use futures_util::future::join;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// However many ask while the check fails.
    #[test]
    fn a_failure_and_its_end_are_news_once() {
        let check = SharedCheck::new();
        let mut news = Vec::new();
        for outcome in [Ok(()), Err("full"), Err("full"), Err("gone"), Ok(()), Ok(()), Err("full")] {
            let report = |transition: Transition<'_, &'static str>| {
                news.push(match transition {
                    Transition::Failure(error) => *error,
                    Transition::Recovery => "recovery",
                });
            };
            let checked = check.outcome(Duration::ZERO, ready(outcome), report);
            assert_eq!(checked.now_or_never(), Some(outcome.map_err(Arc::new)));
        }
        assert_eq!(news, ["full", "recovery", "full"]);
    }

    #[test]
    fn an_outcome_is_good_for_a_while() {
        let check = SharedCheck::new();
        assert_eq!(check.last(HOUR), None);
        let outcome = |outcome| check.outcome(HOUR, ready(outcome), |_| ()).now_or_never().unwrap();
        assert_eq!(outcome(Err("full")), Err(Arc::new("full")));
        assert_eq!(outcome(Ok(())), Err(Arc::new("full")));
        assert_eq!(check.last(HOUR), Some(Err(Arc::new("full"))));
        assert_eq!(check.last(Duration::ZERO), None);
    }

    #[test]
    fn who_asks_during_a_check_waits_for_it_and_shares_its_outcome() {
        let check = SharedCheck::<&str>::new();
        let mut polls = 0;
        let slow = poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls < 3 { Poll::Pending } else { Poll::Ready(Err("full")) }
        });
        let first = check.outcome(HOUR, slow, |_| ());
        let second = check.outcome(HOUR, ready(Ok(())), |_| ());
        let mut both = Box::pin(join(first, second));
        let outcomes = iter::repeat_with(|| both.as_mut().now_or_never()).find_map(|outcomes| outcomes);
        let full = || Err(Arc::new("full"));
        assert_eq!(outcomes, Some((full(), full())));
    }

    #[test]
    fn a_check_that_is_dropped_gives_its_turn_to_the_next() {
        let check = SharedCheck::<&str>::new();
        assert_eq!(check.outcome(HOUR, pending(), |_| ()).now_or_never(), None);
        assert_eq!(check.outcome(HOUR, ready(Ok(())), |_| ()).now_or_never(), Some(Ok(())));
    }
}
