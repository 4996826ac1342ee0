//! A small HTTP server to which recording plugins report each call of a hook.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The reports so far, in the order of their arrival. A plugin waits for the answer before its hook returns, so the
/// order is that of the calls. The server ends with the process.
pub struct Collector {
    /// Where it listens.
    pub address: SocketAddr,
    reports: Arc<Mutex<Vec<Report>>>,
}

/// One call of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The component.
    pub component: String,
    /// The hook.
    pub hook: String,
    /// The plugin, as `name version`.
    pub plugin: String,
}

impl Collector {
    /// A collector on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let reports = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&reports);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let connection = connection.expect("a connection can be accepted");
                let report = receive(&connection);
                sink.lock().expect("not poisoned").push(report);
                (&connection)
                    .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
                    .expect("a plugin waits for the answer");
            }
        });
        Self { address, reports }
    }

    /// The plugins that reported a hook in a component, in order.
    pub fn plugins(&self, component: &str, hook: &str) -> Vec<String> {
        let reports = self.reports.lock().expect("not poisoned");
        let wanted = reports.iter().filter(|report| report.component == component && report.hook == hook);
        wanted.map(|report| report.plugin.clone()).collect()
    }
}

/// Reads `POST /component/hook/name/version HTTP/1.1` and the headers.
fn receive(connection: &TcpStream) -> Report {
    let mut lines = BufReader::new(connection).lines().map(|line| line.expect("a plugin sends text"));
    let request = lines.next().expect("a plugin sends a request");
    assert!(lines.any(|line| line.is_empty()), "the headers end");
    let path = request.split(' ').nth(1).expect("a request line has a path").to_owned();
    let parts: Vec<_> = path.split('/').skip(1).collect();
    let [component, hook, name, version] = parts[..] else { panic!("an unknown report: {request}") };
    Report { component: component.to_owned(), hook: hook.to_owned(), plugin: format!("{name} {version}") }
}
