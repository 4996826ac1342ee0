//! Whether a component is ready for requests, and what it waits for when it stops.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// Whether requests are welcome: from the end of the start to the signal to stop.
#[derive(Clone, Debug)]
pub struct Readiness {
    stage: watch::Sender<Stage>,
    holds: watch::Sender<usize>,
    last_holds: watch::Sender<usize>,
    failure: Arc<Mutex<Option<Failure>>>,
}

/// Why a component cannot go on.
type Failure = Box<dyn Error + Send + Sync>;

/// Keeps a component that stops from ending, until it is dropped or the grace period is over.
#[derive(Debug)]
pub struct Hold(watch::Sender<usize>);

/// Where a component is between its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Serving,
    Stopping,
    Finished,
}

impl Readiness {
    /// Whether requests are welcome.
    pub fn is_ready(&self) -> bool {
        *self.stage.borrow() == Stage::Serving
    }

    /// Waits until the component is about to stop. For what would go on for ever, such as an open `WebSocket`: the
    /// server waits for it while it stops.
    pub async fn stopping(&self) {
        let mut stage = self.stage.subscribe();
        // The sender is this very value, so it is there while this waits.
        let _ = stage.wait_for(|stage| matches!(*stage, Stage::Stopping | Stage::Finished)).await;
    }

    /// Stops the component as a signal would, except that its process ends with a failure. The first failure is the one that is
    /// reported.
    pub fn fail(&self, failure: impl Into<Failure>) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure.into());
        self.stop();
    }

    /// Waits until the last request is answered. For what requests need: a lease on the database, for example.
    pub async fn finished(&self) {
        let mut stage = self.stage.subscribe();
        // The sender is this very value, so it is there while this waits.
        let _ = stage.wait_for(|stage| *stage == Stage::Finished).await;
    }

    /// For work that is to be done after the last request. It is waited for some seconds.
    #[must_use]
    pub fn hold_to_the_end(&self) -> Hold {
        Hold::new(&self.last_holds)
    }

    /// For work that is to be done while the component stops, and that no request waits for.
    #[must_use]
    pub fn hold(&self) -> Hold {
        Hold::new(&self.holds)
    }

    /// Waits until nothing holds the component any more.
    pub(crate) async fn released(&self) {
        released(&self.holds).await;
    }

    /// Says that the last request is answered, and waits for what is done then.
    pub(crate) async fn finish(&self) {
        self.stage.send_replace(Stage::Finished);
        released(&self.last_holds).await;
    }

    /// What the component failed of.
    pub(crate) fn take_failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn serve(&self) {
        // Whoever was told to stop before it served does not begin to.
        self.stage.send_if_modified(|stage| {
            let is_starting = *stage == Stage::Starting;
            if is_starting {
                *stage = Stage::Serving;
            }
            is_starting
        });
    }

    pub(crate) fn stop(&self) {
        self.stage.send_replace(Stage::Stopping);
    }
}

async fn released(holds: &watch::Sender<usize>) {
    let mut holds = holds.subscribe();
    // The sender is there while this waits.
    let _ = holds.wait_for(|holds| *holds == 0).await;
}

impl Hold {
    fn new(holds: &watch::Sender<usize>) -> Self {
        holds.send_modify(|holds| *holds += 1);
        Self(holds.clone())
    }
}

impl Default for Readiness {
    fn default() -> Self {
        Self {
            stage: watch::Sender::new(Stage::Starting),
            holds: watch::Sender::new(0),
            last_holds: watch::Sender::new(0),
            failure: Arc::default(),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.send_modify(|holds| *holds -= 1);
    }
}
