//! What lifecycle sends of its own accord, spoken to over the network.

mod access;
mod change_events;
mod guarded_server;
mod log_streaming;
mod polling_client;
mod recording_streamer;
mod server;
mod websocket_client;

use std::time::Duration;

/// Waits for something that must happen.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("happens soon")
}
