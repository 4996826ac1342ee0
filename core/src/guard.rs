//! Runs one hook of one plugin: catches its panic, ends it after its time limit.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::HookResult;
use crate::failure::HookFailureCause;

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

/// Runs `call` and the future it makes to the end.
///
/// The first poll costs neither clock nor allocation: a hook that never waits finishes in it, and most do.
pub(crate) async fn guard<'a, T>(
    limit: &TimeLimit,
    call: impl FnOnce() -> BoxFuture<'a, HookResult<T>>,
) -> Result<T, HookFailureCause> {
    let mut future = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(future) => future,
        Err(payload) => return Err(HookFailureCause::from_panic(&*payload)),
    };
    if let Poll::Ready(result) = poll_fn(|context| Poll::Ready(poll_caught(&mut future, context))).await {
        return finish(future, result);
    }
    let mut sleep = limit.timer.sleep(limit.duration);
    let result = poll_fn(|context| {
        if let Poll::Ready(result) = poll_caught(&mut future, context) {
            return Poll::Ready(result);
        }
        let timed_out = || {
            Err(HookFailureCause::TimedOut {
                limit: limit.duration,
            })
        };
        sleep.as_mut().poll(context).map(|()| timed_out())
    });
    let result = result.await;
    finish(future, result)
}

fn poll_caught<T>(
    future: &mut BoxFuture<'_, HookResult<T>>,
    context: &mut Context<'_>,
) -> Poll<Result<T, HookFailureCause>> {
    match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *future).poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(result)) => Poll::Ready(result.map_err(HookFailureCause::from)),
        Err(payload) => Poll::Ready(Err(HookFailureCause::from_panic(&*payload))),
    }
}

/// Drops the future, which may panic as well: its destructors are the plugin's code too.
fn finish<T>(
    future: BoxFuture<'_, HookResult<T>>,
    result: Result<T, HookFailureCause>,
) -> Result<T, HookFailureCause> {
    match catch_unwind(AssertUnwindSafe(|| drop(future))) {
        Ok(()) => result,
        Err(payload) => result.and(Err(HookFailureCause::from_panic(&*payload))),
    }
}
