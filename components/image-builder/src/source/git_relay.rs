//! The way by which git reaches servers: a relay on the loopback interface, for one fetch, which connects to no address in
//! a refused network.
//!
//! Looking at the address of a repository beforehand would not do: names lead to other addresses a moment later, and
//! servers redirect. The relay speaks SOCKS version 5 (RFC 1928), by which git hands on names that it has not looked up.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::task::{JoinHandle, JoinSet};

use racetrack_core::trouble::Trouble;
use racetrack_service::accept_error::is_of_the_connection;

use super::networks::Networks;

/// How long the relay waits where the system has no means for another connection.
const PAUSE: Duration = Duration::from_millis(50);

/// The version of SOCKS, and the way to log in: none.
const GREETING: [u8; 2] = [5, 0];

/// A relay that ends with this.
#[derive(Debug)]
pub(super) struct GitRelay {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

/// What git asked for.
#[derive(Debug, Default)]
struct Seen {
    refused: AtomicBool,
    internal: AtomicBool,
}

impl GitRelay {
    pub(super) async fn start(refused: Networks) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let accept =
            move |cx: &mut Context<'_>| listener.poll_accept(cx).map_ok(|(connection, _)| connection);
        let task = tokio::spawn(serve(accept, Arc::new(refused), Arc::clone(&seen)));
        Ok(Self { address, seen, task })
    }

    /// What git takes as `http.proxy`.
    pub(super) fn proxy(&self) -> String {
        format!("socks5h://{}", self.address)
    }

    /// Whether git wanted to reach an address in a refused network.
    pub(super) fn has_refused(&self) -> bool {
        self.seen.refused.load(Ordering::Relaxed)
    }

    /// Whether git wanted to reach an address that is not on the Internet.
    pub(super) fn was_internal(&self) -> bool {
        self.seen.internal.load(Ordering::Relaxed)
    }
}

impl Drop for GitRelay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut accept: impl FnMut(&mut Context<'_>) -> Poll<io::Result<TcpStream>>,
    refused: Arc<Networks>,
    seen: Arc<Seen>,
) {
    let mut connections = JoinSet::new();
    let trouble = Trouble::new();
    loop {
        let connection = match poll_fn(&mut accept).await {
            Ok(connection) => connection,
            Err(error) => {
                if !is_of_the_connection(&error) {
                    if trouble.begins() {
                        tracing::warn!(%error, "the relay of git cannot take connections; it goes on to try");
                    }
                    // What is missing, such as descriptors, is there again when others give it back.
                    tokio::time::sleep(PAUSE).await;
                }
                continue;
            }
        };
        if trouble.ends() {
            tracing::info!("the relay of git takes connections again");
        }
        let (refused, seen) = (Arc::clone(&refused), Arc::clone(&seen));
        // What goes wrong, git sees at its end of the connection.
        connections.spawn(async move { relay(connection, &refused, &seen).await.ok() });
        while connections.try_join_next().is_some() {}
    }
}

async fn relay(mut git: TcpStream, refused: &Networks, seen: &Seen) -> io::Result<()> {
    let [version, methods] = read(&mut git).await?;
    git.read_exact(&mut vec![0; usize::from(methods)]).await?;
    git.write_all(&GREETING).await?;
    let [request_version, command, _, kind] = read(&mut git).await?;
    if (version, request_version, command) != (5, 5, 1) {
        return answer(&mut git, 7).await;
    }
    let Ok(addresses) = requested(&mut git, kind).await else { return answer(&mut git, 4).await };
    let internal = Networks::internal();
    if addresses.iter().any(|address| internal.contain(address.ip())) {
        seen.internal.store(true, Ordering::Relaxed);
    }
    if addresses.iter().any(|address| refused.contain(address.ip())) {
        seen.refused.store(true, Ordering::Relaxed);
        return answer(&mut git, 2).await;
    }
    match TcpStream::connect(&*addresses).await {
        Ok(mut server) => {
            answer(&mut git, 0).await?;
            copy_bidirectional(&mut git, &mut server).await.map(|_| ())
        }
        Err(_) => answer(&mut git, 5).await,
    }
}

/// The addresses of the server that git wants to reach.
async fn requested(git: &mut TcpStream, kind: u8) -> io::Result<Vec<SocketAddr>> {
    let port = async |git: &mut TcpStream| read(git).await.map(u16::from_be_bytes);
    match kind {
        1 => Ok(vec![(Ipv4Addr::from(read::<4>(git).await?), port(git).await?).into()]),
        4 => Ok(vec![(Ipv6Addr::from(read::<16>(git).await?), port(git).await?).into()]),
        3 => {
            let [length] = read(git).await?;
            let mut name = vec![0; usize::from(length)];
            git.read_exact(&mut name).await?;
            let port = port(git).await?;
            let name = String::from_utf8(name).map_err(io::Error::other)?;
            Ok(lookup_host((name, port)).await?.collect())
        }
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

async fn read<const N: usize>(git: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    git.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// Answers with a code, and with no address of ours.
async fn answer(git: &mut TcpStream, code: u8) -> io::Result<()> {
    git.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_relay_goes_on_after_connections_that_are_not_taken() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("can be bound");
        let address = listener.local_addr().expect("is bound");
        // No descriptor is left.
        let mut errors = vec![io::Error::from_raw_os_error(24), io::ErrorKind::ConnectionAborted.into()];
        let accept = move |cx: &mut Context<'_>| match errors.pop() {
            Some(error) => Poll::Ready(Err(error)),
            None => listener.poll_accept(cx).map_ok(|(connection, _)| connection),
        };
        let serving = tokio::spawn(serve(accept, Arc::new(Networks::internal()), Arc::default()));
        let mut git = TcpStream::connect(address).await.expect("is there");
        git.write_all(&[5, 1, 0]).await.expect("is taken");
        assert_eq!(read::<2>(&mut git).await.expect("is answered"), GREETING);
        serving.abort();
    }
}
