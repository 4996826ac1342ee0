//! Tells over a WebSocket that jobs changed, so that a dashboard need not ask again and again.

use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::response::{IntoResponse, Response};
use racetrack_service::ApiError;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

/// What is sent when jobs changed.
const JOBS_CHANGED: &str = r#"{"event":"job_models_changed"}"#;

/// Changes that follow each other faster than this become one event.
const SHORTEST_PERIOD: Duration = Duration::from_millis(100);

/// How long the last frame may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Nothing is expected from the client but control frames, in bytes.
const MAX_MESSAGE_SIZE: usize = 4096;

/// How much is read at a time, in bytes. Each connection has as much memory for it; by default it is 128 KiB.
const READ_BUFFER_SIZE: usize = 4096;

/// How much may wait to be written, in bytes. A client that takes nothing of it is left.
const MAX_WRITE_BUFFER_SIZE: usize = 64 << 10;

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The server stops.
    Stopping,
    /// Whoever listens is not known any more.
    NotAllowed,
}

/// Sends an event whenever `changes` changes from now on, until the client goes away, or `end` is ready.
///
/// The connection outlives its request: the server does not wait for it when it stops, and is not kept by it.
///
/// # Errors
/// 400 when the request does not ask for a WebSocket.
pub async fn serve(
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    mut changes: watch::Receiver<u64>,
    end: impl Future<Output = End> + Send + 'static,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|rejection| ApiError::invalid(rejection.body_text()))?;
    changes.mark_unchanged();
    let upgrade = upgrade
        .max_message_size(MAX_MESSAGE_SIZE)
        .max_frame_size(MAX_MESSAGE_SIZE)
        .read_buffer_size(READ_BUFFER_SIZE)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER_SIZE)
        .on_failed_upgrade(|error| {
            tracing::debug!(%error, "a WebSocket for change events was not established");
        });
    Ok(upgrade.on_upgrade(|socket| push_until(socket, changes, end)).into_response())
}

async fn push_until(
    mut socket: WebSocket,
    changes: watch::Receiver<u64>,
    end: impl Future<Output = End> + Send + 'static,
) {
    let end = tokio::select! {
        error = push(&mut socket, changes) => {
            if let Err(error) = error {
                tracing::debug!(%error, "a WebSocket for change events broke");
            }
            return;
        }
        end = end => end,
    };
    let (code, reason) = match end {
        End::Stopping => (close_code::AWAY, "the server stops"),
        End::NotAllowed => (close_code::POLICY, "the token is not good any more"),
    };
    let close = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
    if let Ok(Err(error)) = timeout(FAREWELL, socket.send(close)).await {
        tracing::debug!(%error, "a WebSocket for change events broke");
    }
}

/// Ends well when the client closes the connection, or nothing can change any more.
async fn push(socket: &mut WebSocket, mut changes: watch::Receiver<u64>) -> Result<(), axum::Error> {
    let mut earliest = Instant::now();
    loop {
        tokio::select! {
            outcome = change_after(earliest, &mut changes) => {
                if outcome.is_err() {
                    return Ok(());
                }
                earliest = Instant::now() + SHORTEST_PERIOD;
                socket.send(Message::Text(Utf8Bytes::from_static(JOBS_CHANGED))).await?;
            }
            // Reading is also what answers pings and the close frame.
            message = socket.recv() => match message {
                None => return Ok(()),
                Some(message) => drop(message?),
            },
        }
    }
}

async fn change_after(
    earliest: Instant,
    changes: &mut watch::Receiver<u64>,
) -> Result<(), watch::error::RecvError> {
    sleep_until(earliest).await;
    changes.changed().await
}
