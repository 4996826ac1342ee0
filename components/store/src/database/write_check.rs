//! What is known of whether writes succeed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use racetrack_core::error::chain;
use racetrack_core::trouble::Trouble;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::StoreError;

/// The last answer, and whether the next one is on its way.
#[derive(Debug)]
pub(crate) struct WriteCheck {
    answers: watch::Sender<Option<Answer>>,
    is_under_way: AtomicBool,
    trouble: Trouble,
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    given: Instant,
    outcome: Result<(), Arc<StoreError>>,
}

impl WriteCheck {
    pub(crate) fn new() -> Self {
        Self {
            answers: watch::Sender::new(None),
            is_under_way: AtomicBool::new(false),
            trouble: Trouble::new(),
        }
    }

    /// Waits for the outcome of the next check.
    pub(crate) fn next(&self) -> watch::Receiver<Option<Answer>> {
        let mut answers = self.answers.subscribe();
        answers.mark_unchanged();
        answers
    }

    /// Starts a check, unless one is under way.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<UnderWay> {
        (!self.is_under_way.swap(true, Ordering::AcqRel)).then(|| UnderWay(Arc::clone(self)))
    }

    /// The last outcome, unless it is older than that.
    pub(crate) fn last(&self, age: Duration) -> Option<Result<(), Arc<StoreError>>> {
        let answer = self.answers.borrow();
        let answer = answer.as_ref().filter(|answer| answer.given.elapsed() < age);
        answer.map(|answer| answer.outcome.clone())
    }

    /// Takes over the outcome of a check.
    pub(crate) fn answer(&self, outcome: Result<(), StoreError>) {
        match &outcome {
            Ok(()) if self.trouble.ends() => tracing::info!("writes to the database succeed again"),
            Err(error) if self.trouble.begins() => {
                tracing::error!(error = chain(error), "writes to the database fail");
            }
            _ => {}
        }
        let outcome = outcome.map_err(Arc::new);
        self.answers.send_replace(Some(Answer { given: Instant::now(), outcome }));
    }
}

/// A check that is under way until this is dropped, whatever it ends by.
pub(crate) struct UnderWay(Arc<WriteCheck>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.is_under_way.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However many ask while the database is away.
    #[test]
    fn a_failure_and_its_end_are_news_once() {
        let check = WriteCheck::new();
        for _ in 0..3 {
            check.answer(Err(StoreError::Silent { limit: Duration::from_secs(1) }));
        }
        assert!(!check.trouble.begins(), "it was told of");
        check.answer(Ok(()));
        assert!(!check.trouble.ends(), "it was told of");
    }
}
