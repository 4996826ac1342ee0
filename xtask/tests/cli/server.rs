//! An HTTP server on this machine that answers as a test wants it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server, for as long as the tests run.
pub(crate) struct Server {
    /// `http://127.0.0.1:PORT`.
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

/// How a request is answered.
pub(crate) enum Answer {
    /// 200 with this body.
    Content(Vec<u8>),
    /// This status, without a body.
    Status(u16),
    /// A redirect to this address.
    Redirect(String),
    /// A length is promised, and the connection closed before so much was sent.
    Truncated,
    /// A length is told that nobody would want.
    Huge,
    /// Bytes without end.
    Endless,
}

impl Server {
    /// Starts a server that gives each path its answer. It is a proxy as well: what it is to connect to, it plays.
    pub(crate) fn start(answer: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let address = format!("http://{}", listener.local_addr().expect("the port is known"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                // Clients hang up when they have heard enough.
                let _ = stream.and_then(|stream| serve(&stream, &answer, &heard));
            }
        });
        Self { address, requests }
    }

    /// The request lines so far, without the protocol.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("no test fails while it holds the list").clone()
    }
}

fn serve(
    mut stream: &TcpStream,
    answer: &impl Fn(&str) -> Answer,
    heard: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let request = loop {
        let mut lines = Vec::new();
        for line in reader.by_ref().lines() {
            match line? {
                line if line.is_empty() => break,
                line => lines.push(line),
            }
        }
        let request = lines.first().and_then(|line| line.strip_suffix(" HTTP/1.1")).unwrap_or_default();
        heard.lock().expect("no test fails while it holds the list").push(request.to_owned());
        if !request.starts_with("CONNECT ") {
            break request.to_owned();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    };
    let path = request.strip_prefix("GET ").unwrap_or_default();
    let close = "connection: close\r\n\r\n";
    match answer(path) {
        Answer::Content(body) => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{close}", body.len())?;
            stream.write_all(&body)
        }
        Answer::Status(status) => write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\n{close}"),
        Answer::Redirect(to) => {
            write!(stream, "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n{close}")
        }
        Answer::Truncated => write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n{close}PK"),
        Answer::Huge => write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n{close}"),
        Answer::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\n{close}")?;
            loop {
                stream.write_all(&[0; 8192])?;
            }
        }
    }
}
