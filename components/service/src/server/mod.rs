//! Listens, serves, and stops cleanly.
//!
//! Every connection has its place in `connections`, which knows what it waits for; `stream` and `request` note that, and
//! `accepting` has one task for each. What exceeds its limit is ended through `ending`.

mod accepting;
mod connection_table;
mod connections;
mod ending;
mod request;
mod stream;
mod waiting;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::mpsc;

use self::accepting::Accepting;
use self::connections::Connections;
pub use self::request::StalledBody;
use crate::connection_limits::ConnectionLimits;
use crate::peer::TrustedProxies;
use crate::readiness::Readiness;

/// The name of a signal to stop.
pub(crate) type Signal = &'static str;

/// So many connections may wait to be taken, unless the system allows fewer. A client that finds the line full tries again
/// after a second.
const BACKLOG: u32 = 4096;

/// Why the component cannot serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    #[error(
        "cannot listen on {address}; choose another address with --http-address, HTTP_ADDRESS or `http-address`"
    )]
    Bind {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("cannot watch for the signals to stop")]
    Signals(#[source] io::Error),
    #[error("the address to listen on is not known")]
    Address(#[source] io::Error),
}

/// How requests are served.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    pub(crate) limits: ConnectionLimits,
    pub(crate) proxies: TrustedProxies,
    /// How long requests may go on after the signal to stop.
    pub(crate) grace: Duration,
}

/// Takes the address. Connections wait until the server serves.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    listen(address).map_err(|source| ServerError::Bind { address, source })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Elsewhere it would let another program take the address.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Where a listener listens.
pub(crate) fn address_of(listener: &TcpListener) -> Result<SocketAddr, ServerError> {
    listener.local_addr().map_err(ServerError::Address)
}

/// Serves until a signal, then finishes what is under way, within the grace period. A second signal ends that at once.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    readiness: &Readiness,
    mut signals: mpsc::Receiver<Signal>,
    serving: Serving,
) -> Result<(), ServerError> {
    let address = address_of(&listener)?;
    let Serving { limits, proxies, grace } = serving;
    let accepting = Accepting::start(listener, router, Connections::new(limits, proxies));
    readiness.serve();
    tracing::info!(%address, "listening on http://{address}");
    tokio::select! {
        signal = signals.recv() => match signal {
            Some(signal) => tracing::info!(signal, "stopping on {signal}; a second signal ends at once"),
            None => return Ok(()),
        },
        () = readiness.stopping() => tracing::error!("stopping, for the component cannot go on"),
    }
    readiness.stop();
    let both = async { tokio::join!(accepting.stop(), readiness.released()) };
    tokio::select! {
        _ = both => tracing::info!("stopped"),
        () = tokio::time::sleep(grace) => {
            let grace = humantime::format_duration(grace);
            tracing::warn!("stopped; requests that took longer than {grace} were cut off");
        }
        Some(signal) = signals.recv() => tracing::warn!(signal, "stopped at once on a second {signal}"),
    }
    Ok(())
}

/// The signals to stop, from now on, instead of what they do by default. Must be called on a runtime.
#[cfg(unix)]
pub(crate) fn signals() -> Result<mpsc::Receiver<Signal>, ServerError> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate()).map_err(ServerError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServerError::Signals)?;
    let (sender, signals) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if sender.send(name).await.is_err() {
                return;
            }
        }
    });
    Ok(signals)
}

/// The signals to stop, from now on, instead of what they do by default. Must be called on a runtime.
#[cfg(not(unix))]
pub(crate) fn signals() -> Result<mpsc::Receiver<Signal>, ServerError> {
    let (sender, signals) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok(()) = tokio::signal::ctrl_c().await {
            if sender.send("Ctrl-C").await.is_err() {
                return;
            }
        }
    });
    Ok(signals)
}

#[cfg(test)]
mod limit_tests;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::Arc;

    use axum::routing::get;
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// A server on a port of the system's choice, with one endpoint that says it is reached and answers when told to.
    struct Running {
        address: SocketAddr,
        readiness: Readiness,
        signals: mpsc::Sender<Signal>,
        reached: Arc<Notify>,
        answer: Arc<Notify>,
        server: JoinHandle<Result<(), ServerError>>,
    }

    async fn running(grace: Duration) -> Running {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        let address = listener.local_addr().expect("is bound");
        let (reached, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (is_reached, may_answer) = (Arc::clone(&reached), Arc::clone(&answer));
        let slow = move || async move {
            is_reached.notify_one();
            may_answer.notified().await;
            "done"
        };
        let router = Router::new().route("/fast", get(|| async { "here" })).route("/slow", get(slow));
        let (signals, receiver) = mpsc::channel(2);
        let readiness = Readiness::default();
        let shared = readiness.clone();
        let serving =
            Serving { limits: ConnectionLimits::default(), proxies: TrustedProxies::default(), grace };
        let server = tokio::spawn(async move { serve(listener, router, &shared, receiver, serving).await });
        Running { address, readiness, signals, reached, answer, server }
    }

    impl Running {
        /// The last line of the answer, or nothing when the connection is cut off.
        fn get(&self, path: &'static str) -> JoinHandle<Option<String>> {
            let address = self.address;
            tokio::task::spawn_blocking(move || {
                let mut connection = TcpStream::connect(address).ok()?;
                let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
                connection.write_all(request.as_bytes()).ok()?;
                let mut answer = String::new();
                connection.read_to_string(&mut answer).ok()?;
                answer.lines().last().map(str::to_owned)
            })
        }

        async fn ended(self) -> Result<(), ServerError> {
            tokio::time::timeout(LONG, self.server).await.expect("ends").expect("does not panic")
        }
    }

    #[tokio::test]
    async fn a_request_under_way_is_finished() {
        let running = running(LONG).await;
        assert_eq!(running.get("/fast").await.expect("no panic").as_deref(), Some("here"));
        assert!(running.readiness.is_ready());
        let slow = running.get("/slow");
        running.reached.notified().await;
        running.signals.send("SIGTERM").await.expect("is heard");
        while running.readiness.is_ready() {
            tokio::task::yield_now().await;
        }
        running.answer.notify_one();
        assert_eq!(slow.await.expect("no panic").as_deref(), Some("done"));
        running.ended().await.expect("ends well");
    }

    #[tokio::test]
    async fn a_request_that_takes_too_long_is_cut_off() {
        let running = running(Duration::from_millis(50)).await;
        let _slow = running.get("/slow");
        running.reached.notified().await;
        running.signals.send("SIGTERM").await.expect("is heard");
        let answer = Arc::clone(&running.answer);
        running.ended().await.expect("ends well");
        answer.notify_one();
    }

    #[tokio::test]
    async fn a_second_signal_ends_at_once() {
        let running = running(LONG * 60).await;
        let _slow = running.get("/slow");
        running.reached.notified().await;
        running.signals.send("SIGINT").await.expect("is heard");
        running.signals.send("SIGINT").await.expect("is heard");
        let answer = Arc::clone(&running.answer);
        running.ended().await.expect("ends well");
        answer.notify_one();
    }

    #[tokio::test]
    async fn a_taken_address_is_named_with_the_way_out() {
        let running = running(LONG).await;
        let error = bind(running.address).await.expect_err("is taken");
        let text = racetrack_core::error::chain(&error);
        let expected = format!(
            "cannot listen on {}; choose another address with --http-address, HTTP_ADDRESS or `http-address`: ",
            running.address
        );
        assert!(text.starts_with(&expected), "{text}");
    }
}
