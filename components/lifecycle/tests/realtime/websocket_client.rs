//! A client that shows every message of a WebSocket as it is.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::soon;

/// A connection.
pub(crate) struct WebSocketClient(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl WebSocketClient {
    pub(crate) async fn connect(server: SocketAddr, path: &str) -> Self {
        let (stream, _) = soon(connect_async(format!("ws://{server}{path}"))).await.expect("is upgraded");
        Self(stream)
    }

    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        soon(self.0.send(message.into())).await.expect("is sent");
    }

    /// The next message, or nothing when the connection has ended as it should.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        soon(self.0.next()).await.map(|message| message.expect("the connection is sound"))
    }

    /// The next message, which must be a text.
    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Some(Message::Text(text)) => text.to_string(),
            other => panic!("{other:?} is a text"),
        }
    }
}
