//! Takes connections, and has one task for each.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::connections::{Connections, Place, Refusal};
use super::request;
use super::stream::WatchedStream;
use crate::accept_error::is_of_the_connection;

/// The largest head of a request, in bytes: as much as proxies take, and so little that all connections together may send
/// one. It is also how much of an answer is kept until its reader takes it.
const MAX_HEAD_SIZE: usize = 32 * 1024;

/// How long the server waits where the system has no means for another connection.
const PAUSE: Duration = Duration::from_millis(50);

/// How often the log says so.
const SILENCE: Duration = Duration::from_secs(10);

/// A server that takes connections.
pub(super) struct Accepting {
    stop: watch::Sender<bool>,
    taking: JoinHandle<()>,
    watching: JoinHandle<()>,
    all_ended: mpsc::Receiver<Infallible>,
}

/// What every connection needs.
#[derive(Clone)]
struct Shared {
    router: Router,
    connections: Connections,
    stopping: watch::Receiver<bool>,
    /// Dropped when the connection is, which is how the server sees the end of the last one.
    until_ended: mpsc::Sender<Infallible>,
}

impl Accepting {
    /// Begins to take connections.
    pub(super) fn start(listener: TcpListener, router: Router, connections: Connections) -> Self {
        let (stop, stopping) = watch::channel(false);
        let (until_ended, all_ended) = mpsc::channel(1);
        let shared = Shared { router, connections, stopping, until_ended };
        let watching = tokio::spawn(close_expired(shared.connections.clone()));
        let taking = tokio::spawn(accept(listener, shared));
        Self { stop, taking, watching, all_ended }
    }

    /// Takes no more connections, and waits until those that there are have been answered.
    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        if let Err(error) = (&mut self.taking).await {
            tracing::error!(%error, "the task that takes connections broke");
        }
        let nothing = self.all_ended.recv().await;
        debug_assert!(nothing.is_none(), "nobody sends anything");
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.taking.abort();
        self.watching.abort();
    }
}

async fn accept(listener: TcpListener, shared: Shared) {
    let mut stopping = pin!(until(shared.stopping.clone()));
    let mut said: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopping => break,
        };
        let (socket, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_the_connection(&error) => continue,
            Err(error) => {
                let is_said = said.is_some_and(|said| said.elapsed() < SILENCE);
                if !is_said {
                    said = Some(Instant::now());
                    tracing::error!(%error, "cannot take connections; those that have waited longest are closed for others");
                }
                shared.connections.give_way();
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        match shared.connections.admit(address.ip()).await {
            Ok(place) => {
                tokio::spawn(serve(socket, address, place, shared.clone()));
            }
            Err(refusal) => refuse(&socket, refusal),
        }
    }
    shared.connections.stop();
}

async fn until(mut stopping: watch::Receiver<bool>) {
    // Without a sender the server itself is gone.
    let _ = stopping.wait_for(|stops| *stops).await;
}

async fn close_expired(connections: Connections) {
    let mut interval = tokio::time::interval(connections.period());
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        connections.close_expired(Instant::now());
    }
}

async fn serve(socket: TcpStream, address: SocketAddr, place: Place, shared: Shared) {
    let Shared { router, stopping, until_ended, .. } = shared;
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let connection = Arc::clone(place.connection());
    let of_requests = Arc::clone(&connection);
    let service = service_fn(move |request| {
        request::answer(router.clone(), request, address, Arc::clone(&of_requests))
    });
    let mut protocol = http1::Builder::new();
    // Time limits are kept by `connections`.
    protocol.header_read_timeout(None).max_buf_size(MAX_HEAD_SIZE);
    let stream = TokioIo::new(WatchedStream::new(socket, place));
    let mut serving = pin!(protocol.serve_connection(stream, service).with_upgrades());
    let outcome = tokio::select! {
        outcome = serving.as_mut() => outcome,
        () = until(stopping) => {
            serving.as_mut().graceful_shutdown();
            serving.as_mut().await
        }
    };
    // What is left of it, if anything, is a tunnel.
    connection.is_busy();
    if let Err(error) = outcome {
        tracing::debug!(%address, error = racetrack_core::error::chain(&error), "a connection broke");
    }
    drop(until_ended);
}

/// Says why there is no place, as far as that can be said at once.
fn refuse(socket: &TcpStream, refusal: Refusal) {
    let (status, text) = match refusal {
        Refusal::Full => ("503 Service Unavailable", "the server has as many connections as it may have"),
        Refusal::PeerIsFull => ("429 Too Many Requests", "there are too many connections from this address"),
    };
    let body = format!(r#"{{"error":"{text}","type":"TooManyConnections"}}"#);
    let answer = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         retry-after: 1\r\n\r\n{body}",
        body.len()
    );
    if let Err(error) = socket.try_write(answer.as_bytes()) {
        tracing::debug!(%error, "a connection was refused without a word");
    }
}
