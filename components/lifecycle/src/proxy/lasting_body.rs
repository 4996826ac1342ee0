//! The body of an answer that may go on for as long as the caller listens, such as a stream of events.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::body::{Frame, SizeHint};

/// A body that breaks off when `lost` is ready.
pub(super) fn new(body: Body, lost: BoxFuture<'static, ()>) -> Body {
    Body::new(LastingBody { body, lost: Some(lost) })
}

/// Why it breaks off.
#[derive(Debug, thiserror::Error)]
#[error("the caller may not go on to read the answer")]
struct NotAllowed;

struct LastingBody {
    body: Body,
    /// Absent once it was ready.
    lost: Option<BoxFuture<'static, ()>>,
}

impl HttpBody for LastingBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let is_lost = self.lost.as_mut().is_none_or(|lost| lost.poll_unpin(cx).is_ready());
        if is_lost {
            self.lost = None;
            return Poll::Ready(Some(Err(axum::Error::new(NotAllowed))));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
