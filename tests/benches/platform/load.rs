//! Requests over connections that stay open, and how long they took.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long each load lasts.
const LOAD: Duration = Duration::from_secs(3);

/// How long requests took under a load.
pub(crate) struct Load(Vec<Duration>, Duration);

impl Load {
    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far fewer requests than a float is exact for")]
        let count = self.0.len() as f64;
        count / self.1.as_secs_f64()
    }

    pub(crate) fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }
}

/// Sends requests over some connections, each waiting for its answer.
pub(crate) fn load(address: SocketAddr, path: &str, connections: usize) -> Load {
    let started = Instant::now();
    let mut times: Vec<_> = std::thread::scope(|scope| {
        let one = |_| {
            scope.spawn(move || {
                let mut client = Client::connect(address);
                let mut times = Vec::new();
                while started.elapsed() < LOAD {
                    let asked = Instant::now();
                    client.get(path);
                    times.push(asked.elapsed());
                }
                times
            })
        };
        let threads: Vec<_> = (0..connections).map(one).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("does not panic")).collect()
    });
    let elapsed = started.elapsed();
    times.sort_unstable();
    Load(times, elapsed)
}

/// A connection that stays open.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
    body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).expect("somebody listens")
    }

    pub(crate) fn try_connect(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self { stream: BufReader::with_capacity(1 << 18, stream), address, body: Vec::new() })
    }

    /// The size of the answer, which must be a success.
    pub(crate) fn get(&mut self, path: &str) -> usize {
        assert_eq!(self.status(path), 200, "{path}");
        self.body.len()
    }

    pub(crate) fn status(&mut self, path: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        self.stream.get_mut().write_all(request.as_bytes()).expect("the connection is open");
        let (mut line, mut status, mut length) = (String::new(), 0, 0);
        while line != "\r\n" {
            line.clear();
            assert_ne!(self.stream.read_line(&mut line).expect("an answer"), 0, "the connection was closed");
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().expect("a status");
            }
            let lower = line.to_ascii_lowercase();
            if let Some(rest) = lower.strip_prefix("content-length:") {
                length = rest.trim().parse().expect("a length");
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).expect("a body");
        status
    }
}
