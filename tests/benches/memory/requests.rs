//! Requests as bytes: also such as no library sends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long anything may take.
const LIMIT: Duration = Duration::from_mins(5);

/// A connection.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(address).expect("is taken by the system");
    connection.set_read_timeout(Some(LIMIT)).expect("is a time");
    connection.set_write_timeout(Some(LIMIT)).expect("is a time");
    connection
}

/// So many connections, on each of which `begin` is sent.
pub(crate) fn open(address: SocketAddr, count: usize, begin: &[u8]) -> Vec<TcpStream> {
    let connect = |_| {
        let mut connection = connect(address);
        // A server that has enough closes it.
        let _ = connection.write_all(begin);
        connection
    };
    (0..count).map(connect).collect()
}

/// The status and the body of the answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> (u16, Vec<u8>) {
    send(address, &format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n"), &[])
}

/// The same for JSON that is sent.
pub(crate) fn post(address: SocketAddr, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    send_json(address, "POST", path, body)
}

pub(crate) fn send_json(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    );
    send(address, &head, body)
}

/// Does the same so many times at once, and gives the statuses.
pub(crate) fn at_once<T: Send>(count: usize, task: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let task = &task;
        let threads: Vec<_> = (0..count).map(|number| scope.spawn(move || task(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("does not panic")).collect()
    })
}

fn send(address: SocketAddr, head: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut connection = connect(address);
    connection.write_all(head.as_bytes()).expect("is sent");
    // A server that refuses closes the connection before it has all of it.
    let _ = connection.write_all(body);
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer);
    let status = answer.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    (status.unwrap_or(0), answer.split_off(end))
}
