//! How long connections may make the server wait, and how many there may be.

use std::time::Duration;

/// The limits that hold before anybody is known. [`ServiceSettings`](crate::settings::ServiceSettings) says what each means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are documented in `ServiceSettings`")]
pub struct ConnectionLimits {
    pub request_head_time: Duration,
    pub idle_connection_time: Duration,
    pub stalled_transfer_time: Duration,
    pub connections: usize,
    pub connections_per_peer: usize,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            request_head_time: Duration::from_secs(10),
            idle_connection_time: Duration::from_secs(75),
            stalled_transfer_time: Duration::from_secs(30),
            connections: 4096,
            connections_per_peer: 1024,
        }
    }
}
