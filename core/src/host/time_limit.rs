//! How long a hook may take.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

/// Waits for a while. The component supplies it, because this crate knows no runtime.
pub trait Timer: Send + Sync + 'static {
    /// A future that is ready after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// How long a hook may take, and the timer that measures it.
#[derive(Clone)]
pub struct TimeLimit {
    /// The longest time one hook of one plugin may take.
    pub duration: Duration,
    /// The timer.
    pub timer: Arc<dyn Timer>,
}
