//! Ends a connection from outside of the task that serves it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

use futures_util::task::AtomicWaker;

/// What the parts of a connection look at to see that it has to end: its stream and the body of its request.
#[derive(Debug, Default)]
pub(super) struct Ending {
    is_closed: AtomicBool,
    is_stalled: AtomicBool,
    is_between_requests: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
    body: AtomicWaker,
}

impl Ending {
    /// From now on nothing is read or written any more.
    pub(super) fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        for waker in [&self.reader, &self.writer, &self.body] {
            waker.wake();
        }
    }

    /// From now on the body of the request has failed; tells whether that is new.
    pub(super) fn stall(&self) -> bool {
        let is_new = !self.is_stalled.swap(true, Ordering::AcqRel);
        self.body.wake();
        is_new
    }

    /// The body of another request has not failed.
    pub(super) fn forget_stall(&self) {
        self.is_stalled.store(false, Ordering::Release);
    }

    /// Whether reading has to end. Otherwise the task is woken when it has to.
    pub(super) fn ends_reading(&self, cx: &Context<'_>) -> bool {
        self.reader.register(cx.waker());
        self.is_closed.load(Ordering::Acquire)
    }

    /// Whether writing has to end. Otherwise the task is woken when it has to.
    pub(super) fn ends_writing(&self, cx: &Context<'_>) -> bool {
        self.writer.register(cx.waker());
        self.is_closed.load(Ordering::Acquire)
    }

    /// Whether the body of the request is given up. Otherwise the task is woken when it is.
    pub(super) fn gives_up_body(&self, cx: &Context<'_>) -> bool {
        self.body.register(cx.waker());
        self.is_stalled.load(Ordering::Acquire)
    }

    /// Whether the next bytes to be read begin a request.
    pub(super) fn is_between_requests(&self) -> bool {
        self.is_between_requests.load(Ordering::Acquire)
    }

    pub(super) fn set_between_requests(&self, is: bool) {
        self.is_between_requests.store(is, Ordering::Release);
    }
}
