//! A client that shows every message of a WebSocket as it is.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::soon;

/// A connection.
pub(crate) struct WebSocketClient(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl WebSocketClient {
    pub(crate) async fn connect(server: SocketAddr, path: &str) -> Self {
        let (stream, _) = soon(connect_async(format!("ws://{server}{path}"))).await.expect("is upgraded");
        Self(stream)
    }

    /// Connects with further headers; gives the status of a refusal, or the connection with the subprotocol agreed on.
    pub(crate) async fn try_connect(
        server: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Self, Option<String>), u16> {
        let mut request = format!("ws://{server}{path}").into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header value"));
        }
        match soon(connect_async(request)).await {
            Ok((stream, answer)) => {
                let protocol = answer.headers().get("sec-websocket-protocol");
                Ok((Self(stream), protocol.map(|value| value.to_str().expect("is text").to_owned())))
            }
            Err(Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
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
    /// Says this, takes all messages, and answers pings, until the connection ends in whatever way. It may end meanwhile.
    pub(crate) async fn until_cut_off(&mut self, words: &[&str]) {
        for word in words {
            let _ = self.0.send(Message::text(*word)).await;
        }
        while let Some(Ok(message)) = soon(self.0.next()).await {
            if message == Message::text("2") {
                let _ = self.0.send(Message::text("3")).await;
            }
        }
    }
}
