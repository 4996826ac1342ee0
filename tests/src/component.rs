//! A component that runs on a port of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

/// How long a component may take to say that it listens, or to end.
const LIMIT: Duration = Duration::from_mins(1);

/// A running component; killed when dropped.
pub struct RunningComponent {
    address: SocketAddr,
    child: Child,
}

impl RunningComponent {
    /// Starts a component binary with a configuration file, and waits until it says where it listens.
    ///
    /// # Panics
    /// When it ends instead; the panic shows its log.
    pub fn start(binary: &Path, config: &Path) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), binary, config)
    }

    /// Like [`start`](Self::start), at an address: that of one that ended, for example.
    ///
    /// # Panics
    /// The same.
    pub fn start_at(address: SocketAddr, binary: &Path, config: &Path) -> Self {
        let mut command = Command::new(binary);
        command.args(["serve", "--http-address", &address.to_string(), "--log-format", "json", "--config"]);
        command.arg(config);
        // What a component keeps by default is relative to its working folder.
        command.current_dir(config.parent().expect("a file is in a folder"));
        let child = command.stderr(Stdio::piped()).spawn().expect("the component can be started");
        let mut running = Self { address: SocketAddr::from(([0; 4], 0)), child };
        let log = BufReader::new(running.child.stderr.take().expect("standard error is piped"));
        let (sender, receiver) = mpsc::channel();
        // Reads to the end, so that the component never blocks on a full pipe.
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                // The receiver is gone once the address is known.
                let _ = sender.send(line);
            }
        });
        let mut seen = Vec::new();
        loop {
            match receiver.recv_timeout(LIMIT) {
                Ok(line) => match listening_address(&line) {
                    Some(address) => {
                        running.address = address;
                        return running;
                    }
                    None => seen.push(line),
                },
                Err(error) => panic!("{} does not listen, {error}:\n{}", binary.display(), seen.join("\n")),
            }
        }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it can be waited for");
    }

    /// The answer to a `GET`: status and body.
    pub fn get(&self, path: &str) -> (u16, Value) {
        let request = agent().get(format!("http://{}{path}", self.address));
        answer(request.call().expect("the component answers"))
    }

    /// The answer to a `POST` of JSON.
    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = agent().post(format!("http://{}{path}", self.address));
        answer(request.send_json(body).expect("the component answers"))
    }
}

impl RunningComponent {
    /// The answer to a `DELETE`: status and body.
    pub fn delete(&self, path: &str) -> (u16, Value) {
        let request = agent().delete(format!("http://{}{path}", self.address));
        answer(request.call().expect("the component answers"))
    }
}

impl Drop for RunningComponent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(LIMIT)).build().into()
}

fn answer(mut response: ureq::http::Response<ureq::Body>) -> (u16, Value) {
    let status = response.status().as_u16();
    (status, response.body_mut().read_json().expect("the answer is JSON"))
}

fn listening_address(line: &str) -> Option<SocketAddr> {
    let event: Value = serde_json::from_str(line).ok()?;
    event["address"].as_str()?.parse().ok()
}
