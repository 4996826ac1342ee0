//! How lines reach a client, and how it is disconnected.

use racetrack_core::error::chain;
use serde::Serialize;
use serde::de::IgnoredAny;
use socketioxide::extract::SocketRef;
use socketioxide::{AckError, SendError};

/// Why a client does not get a line.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeliveryError {
    #[error("the line cannot be sent")]
    Send(#[source] SendError),
    #[error("the line was not acknowledged")]
    Acknowledgement(#[source] AckError),
}

/// The payload of `logs_nextline`.
#[derive(Serialize)]
struct NextLine {
    line: String,
}

/// Sends a line to the client, and waits until it has acknowledged it.
pub(super) async fn deliver(socket: &SocketRef, mut line: String) -> Result<(), DeliveryError> {
    if !line.ends_with('\n') {
        line.push('\n');
    }
    let sent = socket.emit_with_ack::<_, IgnoredAny>("logs_nextline", &NextLine { line });
    match sent.map_err(DeliveryError::Send)?.await {
        // What the client acknowledges with is its own business.
        Ok(IgnoredAny) | Err(AckError::Decode(_)) => Ok(()),
        Err(error) => Err(DeliveryError::Acknowledgement(error)),
    }
}

/// Disconnects the client.
pub(super) fn disconnect(socket: SocketRef) {
    if let Err(error) = socket.disconnect() {
        tracing::warn!(error = chain(&error), "a reader of logs could not be told that it is disconnected");
    }
}
