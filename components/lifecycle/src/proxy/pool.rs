//! The idle connections to jobs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::connection::Connection;

/// Connections that wait for their next call, for a limited time.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Mutex<Idle>,
    limit: Duration,
}

#[derive(Debug, Default)]
struct Idle {
    /// Per address; those that wait longest are first.
    connections: HashMap<Arc<str>, Vec<(Instant, Connection)>>,
    /// Whether a task watches over them.
    is_watched: bool,
}

impl Pool {
    /// A pool that keeps connections for `limit`, and no longer than twice that where nobody asks for them.
    pub(super) fn new(limit: Duration) -> Self {
        Self { idle: Mutex::default(), limit }
    }

    /// Takes the connection to this address that was used last. It may have been closed by the job in the meantime.
    pub(super) fn take(&self, address: &str) -> Option<Connection> {
        let (since, connection) = self.lock().connections.get_mut(address)?.pop()?;
        (since.elapsed() < self.limit).then_some(connection)
    }

    /// Keeps a connection for the next call, if it can take one.
    pub(super) fn put(self: &Arc<Self>, mut connection: Connection) {
        // Whoever drove the connection so far must not be woken by it any more.
        if !connection.is_idle(&mut Context::from_waker(Waker::noop())) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let mut idle = self.lock();
        if !idle.is_watched {
            idle.is_watched = true;
            runtime.spawn(watch(Arc::downgrade(self), self.limit));
        }
        let address = Arc::clone(connection.address());
        idle.connections.entry(address).or_default().push((Instant::now(), connection));
    }

    /// Closes what has waited for too long. Answers whether anything still waits.
    fn expire(&self) -> bool {
        // Dropped after the lock: closing sockets takes a while.
        let mut expired = Vec::new();
        let mut idle = self.lock();
        idle.connections.retain(|_, connections| {
            let count = connections.partition_point(|(since, _)| since.elapsed() >= self.limit);
            expired.extend(connections.drain(..count));
            !connections.is_empty()
        });
        idle.is_watched = !idle.connections.is_empty();
        idle.is_watched
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs while anything waits.
async fn watch(pool: Weak<Pool>, period: Duration) {
    loop {
        tokio::time::sleep(period).await;
        if !pool.upgrade().is_some_and(|pool| pool.expire()) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// A connection, and the job's side of it.
    async fn connection() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("is bound").to_string();
        let connection = Connection::open(&address).await.expect("connects");
        (connection, listener.accept().await.expect("is connected to").0)
    }

    async fn closed(mut job: TcpStream) {
        let read = tokio::time::timeout(LONG, job.read(&mut [0])).await.expect("is closed");
        assert_eq!(read.expect("ends well"), 0);
    }

    #[tokio::test]
    async fn a_connection_is_handed_out_once_and_only_for_its_address() {
        let pool = Arc::new(Pool::new(LONG));
        let (connection, _job) = connection().await;
        let address = Arc::clone(connection.address());
        pool.put(connection);
        assert!(pool.take("127.0.0.1:1").is_none());
        assert!(pool.take(&address).is_some());
        assert!(pool.take(&address).is_none());
    }

    #[tokio::test]
    async fn connections_that_nobody_asks_for_are_closed() {
        let pool = Arc::new(Pool::new(Duration::from_millis(5)));
        for _ in 0..2 {
            let (connection, job) = connection().await;
            pool.put(connection);
            closed(job).await;
            assert!(pool.lock().connections.is_empty());
        }
    }

    #[tokio::test]
    async fn a_connection_is_not_handed_out_after_its_time() {
        let pool = Arc::new(Pool::new(Duration::ZERO));
        let (connection, job) = connection().await;
        let address = Arc::clone(connection.address());
        pool.put(connection);
        assert!(pool.take(&address).is_none());
        closed(job).await;
    }

    #[tokio::test]
    async fn a_connection_that_the_job_closed_is_not_kept() {
        let pool = Arc::new(Pool::new(LONG));
        let (mut connection, job) = connection().await;
        drop(job);
        std::future::poll_fn(|cx| connection.poll_end(cx)).await;
        pool.put(connection);
        assert!(pool.lock().connections.is_empty());
    }
}
