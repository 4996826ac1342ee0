//! One round of a hook: a call on each of some plugins, one after the other, each isolated from the others.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;

use crate::host::failure::{HookFailure, HookFailureCause};
use crate::host::progress::Progress;
use crate::host::time_limit::TimeLimit;
use crate::sdk::hook_result::HookResult;
use crate::sdk::plugin::Plugin;

/// Calls plugins in turn, and hands `each` the index and the result of every call; `blame` names the
/// plugin at an index in a failure.
///
/// Most hooks never wait, so the way without waiting is short: no clock is read, nothing is allocated besides the hook's
/// own future, and panics are caught once per poll of the round, not once per plugin.
pub(crate) struct Round<'a, 'p, T, P, C, B, E> {
    plugins: P,
    next: usize,
    limit: &'p TimeLimit,
    progress: Option<&'p Progress>,
    call: C,
    blame: B,
    each: E,
    /// Whether code of the plugin runs: a panic outside of it is not the plugin's.
    in_plugin: bool,
    future: Option<BoxFuture<'a, HookResult<T>>>,
    sleep: Option<BoxFuture<'static, ()>>,
}

impl<'a, 'p, T, P, C, B, E> Round<'a, 'p, T, P, C, B, E>
where
    P: Fn(usize) -> Option<&'a dyn Plugin>,
    C: Fn(&'a dyn Plugin) -> BoxFuture<'a, HookResult<T>>,
    B: Fn(usize, HookFailureCause) -> HookFailure,
    E: FnMut(usize, Result<T, HookFailure>),
{
    /// A round over the plugins `plugins(first)`, `plugins(first + 1)` and so on, until there is none.
    pub(crate) fn new(
        plugins: P,
        first: usize,
        limit: &'p TimeLimit,
        progress: Option<&'p Progress>,
        call: C,
        blame: B,
        each: E,
    ) -> Self {
        Self {
            plugins,
            next: first,
            limit,
            progress,
            call,
            blame,
            each,
            in_plugin: false,
            future: None,
            sleep: None,
        }
    }

    fn advance(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while let Some(plugin) = (self.plugins)(self.next) {
            self.in_plugin = true;
            let future = match &mut self.future {
                Some(future) => future,
                None if self.progress.is_some_and(|progress| !progress.enter(self.next)) => break,
                None => self.future.insert((self.call)(plugin)),
            };
            match future.as_mut().poll(context) {
                Poll::Ready(Ok(answer)) => {
                    self.leave_plugin();
                    let index = self.next;
                    self.next += 1;
                    (self.each)(index, Ok(answer));
                }
                Poll::Ready(Err(error)) => self.fail(HookFailureCause::from(error)),
                Poll::Pending => {
                    self.in_plugin = false;
                    if !self.is_over_time(context) {
                        return Poll::Pending;
                    }
                    self.in_plugin = true;
                    self.fail(HookFailureCause::TimedOut { limit: self.limit.duration });
                }
            }
        }
        Poll::Ready(())
    }

    fn is_over_time(&mut self, context: &mut Context<'_>) -> bool {
        let sleep = self.sleep.get_or_insert_with(|| self.limit.timer.sleep(self.limit.duration));
        sleep.as_mut().poll(context).is_ready()
    }

    /// Drops the future of the call that has ended, which still is the plugin's code, and the timer.
    #[inline]
    fn leave_plugin(&mut self) {
        self.future = None;
        self.in_plugin = false;
        if self.sleep.is_some() {
            self.sleep = None;
        }
    }

    #[cold]
    fn fail(&mut self, cause: HookFailureCause) {
        self.leave_plugin();
        let index = self.next;
        self.next += 1;
        let failure = (self.blame)(index, cause);
        (self.each)(index, Err(failure));
    }

    /// Turns a panic of the plugin into its failure. What is left of its future is dropped under a guard of its own,
    /// for destructors are the plugin's code too.
    #[cold]
    fn recover(&mut self, payload: Box<dyn std::any::Any + Send>) {
        if !std::mem::take(&mut self.in_plugin) {
            resume_unwind(payload);
        }
        let future = self.future.take();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(future)));
        let payload = dropped.err().unwrap_or(payload);
        self.fail(HookFailureCause::from_panic(&*payload));
    }
}

impl<'a, T, P, C, B, E> Future for Round<'a, '_, T, P, C, B, E>
where
    Self: Unpin,
    P: Fn(usize) -> Option<&'a dyn Plugin>,
    C: Fn(&'a dyn Plugin) -> BoxFuture<'a, HookResult<T>>,
    B: Fn(usize, HookFailureCause) -> HookFailure,
    E: FnMut(usize, Result<T, HookFailure>),
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.advance(context))) {
                Ok(poll) => return poll,
                Err(payload) => self.recover(payload),
            }
        }
    }
}

impl<T, P, C, B, E> Unpin for Round<'_, '_, T, P, C, B, E> {}
