//! Work that blocks its thread, away from the threads that serve requests.

use std::io;

/// Runs work that blocks its thread. What the work holds stays until it is done, even when nobody waits any more.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
