//! The socket of a connection, which notes what its client does and does not do.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::connections::{Connection, Place};

/// A socket with its place among the connections.
#[derive(Debug)]
pub(super) struct WatchedStream {
    socket: TcpStream,
    place: Place,
    awaits_reader: bool,
}

impl WatchedStream {
    pub(super) const fn new(socket: TcpStream, place: Place) -> Self {
        Self { socket, place, awaits_reader: false }
    }

    fn connection(&self) -> &Connection {
        self.place.connection()
    }

    /// Writes by `write`, and notes whether the client takes what is sent.
    fn write<T>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.connection().ending.ends_writing(cx) {
            return Poll::Ready(Err(ended()));
        }
        let written = write(Pin::new(&mut self.socket), cx);
        if written.is_pending() != self.awaits_reader {
            self.awaits_reader = written.is_pending();
            self.connection().awaits_reader(self.awaits_reader);
        }
        written
    }
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the connection waited for its client for too long")
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.connection().ending.ends_reading(cx) {
            return Poll::Ready(Err(ended()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.connection().has_received();
        }
        read
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(cx, |socket, cx| socket.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(cx, |socket, cx| socket.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket of TCP has nothing to flush.
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
