//! The body of a job's answer, which drives the connection it comes from.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::task::JoinSet;

use super::connection::Connection;
use super::pool::Pool;

/// The body of an answer. At its end the connection goes back to the pool; dropped earlier, it closes the connection.
///
/// `is_large` says that the caller may still be sending.
pub(super) fn new(incoming: Incoming, mut connection: Connection, is_large: bool, pool: &Arc<Pool>) -> Body {
    if incoming.is_end_stream() && !is_large {
        pool.put(connection);
        return Body::empty();
    }
    let source = if is_large {
        // A caller may send all of a large body before it reads the answer. The answer would then block this body, and
        // with it the connection that the rest of the caller's body has to go through.
        let mut tasks = JoinSet::new();
        tasks.spawn(poll_fn(move |cx| connection.poll_end(cx)));
        Source::Task(tasks)
    } else {
        Source::Here { connection, pool: Arc::clone(pool) }
    };
    Body::new(ResponseBody { incoming, source })
}

#[derive(Debug)]
struct ResponseBody {
    incoming: Incoming,
    source: Source,
}

/// What moves the bytes.
#[derive(Debug)]
enum Source {
    Here {
        connection: Connection,
        pool: Arc<Pool>,
    },
    /// A task, which ends with this.
    Task(#[expect(dead_code, reason = "aborts its task when dropped")] JoinSet<()>),
    /// Nothing any more: all there is has been received.
    Closed,
}

impl ResponseBody {
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.incoming).poll_frame(cx)
    }

    /// Gives back the connection after the last frame.
    fn end(&mut self) {
        if let Source::Here { connection, pool } = std::mem::replace(&mut self.source, Source::Closed) {
            pool.put(connection);
        }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut frame = self.poll_incoming(cx);
        if frame.is_pending()
            && let Source::Here { connection, .. } = &mut self.source
        {
            if connection.poll_end(cx).is_ready() {
                self.source = Source::Closed;
            }
            frame = self.poll_incoming(cx);
        }
        match &frame {
            Poll::Ready(None) => self.end(),
            // Nothing follows trailers, so nobody may ask again.
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => self.end(),
            _ => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // A body of known length is not asked for the end that follows its last byte.
        if self.incoming.is_end_stream() {
            self.end();
        }
    }
}
