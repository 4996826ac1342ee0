//! A Socket.IO client that knows nothing but long polling, and shows every packet as it is.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use crate::soon;

/// What stands between the packets of one answer.
const SEPARATOR: char = '\u{1e}';

/// A connection. Clones are the same one, seen from another task.
#[derive(Clone)]
pub(crate) struct PollingClient {
    http: Client<HttpConnector, Body>,
    address: String,
    received: VecDeque<String>,
    /// The id by which the server knows the connection.
    pub(crate) id: String,
}

impl PollingClient {
    /// Opens a connection, and enters no namespace yet.
    pub(crate) async fn open(server: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        Self::open_from(None, server, path, headers).await
    }

    /// The same, from an address of this machine.
    pub(crate) async fn open_from(
        own: Option<IpAddr>,
        server: SocketAddr,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        let address = format!("http://{server}{path}?transport=polling&EIO=4&t=now");
        let mut connector = HttpConnector::new();
        connector.set_local_address(own);
        let http = Client::builder(TokioExecutor::new()).build(connector);
        let mut client = Self { http, address, received: VecDeque::new(), id: String::new() };
        let mut request = Request::get(&client.address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let opened = client.answer(request.body(Body::empty()).expect("a request")).await;
        let opened = opened.strip_prefix('0').expect("an open packet").to_owned();
        let opened: Value = serde_json::from_str(&opened).expect("is JSON");
        assert_eq!(opened["upgrades"], serde_json::json!(["websocket"]));
        assert_eq!((&opened["pingInterval"], &opened["pingTimeout"]), (&25000.into(), &20000.into()));
        assert_eq!(opened["maxPayload"], 1_000_000);
        opened["sid"].as_str().expect("has an id").clone_into(&mut client.id);
        client.address = format!("{}&sid={}", client.address, client.id);
        client
    }

    /// Opens a connection as the client of the command line does.
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        Self::connect_with(server, &[]).await
    }

    pub(crate) async fn connect_with(server: SocketAddr, headers: &[(&str, &str)]) -> Self {
        let mut client = Self::open(server, "/lifecycle/socket.io/", headers).await;
        client.enter("{}").await;
        client
    }

    /// Enters the namespace, and sends this along.
    pub(crate) async fn enter(&mut self, auth: &str) {
        self.send(&format!("40{auth}")).await;
        assert_eq!(self.next().await, format!(r#"40{{"sid":"{}"}}"#, self.id));
    }

    /// Sends packets.
    pub(crate) async fn send(&self, packets: &str) {
        let request = Request::builder().method(Method::POST).uri(&self.address);
        let request = request.header("content-type", "text/plain;charset=UTF-8");
        let body = Body::from(packets.to_owned());
        assert_eq!(self.answer(request.body(body).expect("a request")).await, "ok");
    }

    /// Asks for the lines of a job, and wants an acknowledgement with the number 1.
    pub(crate) async fn subscribe(&self, name: &str, version: &str) {
        let job = format!(r#"{{"job_name":"{name}","job_version":"{version}","tail":"20"}}"#);
        self.send(&format!(r#"421["subscribe_for_logs",{{"resource_properties":{job}}}]"#)).await;
    }

    /// The next packet that is no ping.
    pub(crate) async fn next(&mut self) -> String {
        loop {
            while let Some(packet) = self.received.pop_front() {
                if packet != "2" {
                    return packet;
                }
                self.send("3").await;
            }
            let packets = self.poll().await;
            self.received.extend(packets.split(SEPARATOR).map(str::to_owned));
        }
    }

    /// Takes the next packet, which must be this line, and gives the number to acknowledge it with.
    pub(crate) async fn line(&mut self, text: &str) -> String {
        let packet = self.next().await;
        let number = number_of_line(&packet, text);
        number.unwrap_or_else(|| panic!("{packet} is the line {text}")).to_owned()
    }

    /// Takes the next two packets, which must be the acknowledgement of the subscription and, before or after it, this
    /// line, and gives the number to acknowledge the line with.
    pub(crate) async fn subscribed(&mut self, session_id: &str, text: &str) -> String {
        let packets = [self.next().await, self.next().await];
        let acknowledged = format!(r#"431["{session_id}"]"#);
        assert!(packets.contains(&acknowledged), "{packets:?}");
        let number = packets.iter().find_map(|packet| number_of_line(packet, text));
        number.unwrap_or_else(|| panic!("{packets:?} have the line {text}")).to_owned()
    }

    /// Acknowledges a line.
    pub(crate) async fn acknowledge(&self, number: &str) {
        self.send(&format!("43{number}[true]")).await;
    }

    /// Waits for what the server has to say.
    pub(crate) async fn poll(&self) -> String {
        let request = Request::get(&self.address).body(Body::empty());
        self.answer(request.expect("a request")).await
    }

    /// Sends pongs until its session is not there any more.
    pub(crate) async fn until_refused(&mut self) {
        loop {
            let request = Request::builder().method(Method::POST).uri(&self.address);
            let request = request.header("content-type", "text/plain;charset=UTF-8").body(Body::from("3"));
            let response = self.http.request(request.expect("a request")).await.expect("answers");
            if response.status() != StatusCode::OK {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn answer(&self, request: Request<Body>) -> String {
        let response = soon(self.http.request(request)).await.expect("answers");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/plain; charset=UTF-8");
        let body = to_bytes(Body::new(response.into_body()), usize::MAX).await.expect("a body");
        String::from_utf8(body.to_vec()).expect("is text")
    }
}

/// The number of the packet, if it is the line.
fn number_of_line<'a>(packet: &'a str, text: &str) -> Option<&'a str> {
    let ending = format!(r#"["logs_nextline",{{"line":"{text}\n"}}]"#);
    packet.strip_prefix("42")?.strip_suffix(&ending)
}
