//! A component that runs on a port of its own.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long a component may take to say that it listens, or to end.
const LIMIT: Duration = Duration::from_mins(1);

/// A running component; killed when dropped.
pub struct RunningComponent {
    address: SocketAddr,
    child: Child,
    log: Arc<Mutex<String>>,
    /// Hears where it listens, and is closed at the end of the log.
    events: Mutex<mpsc::Receiver<SocketAddr>>,
}

impl RunningComponent {
    /// Starts a component binary with a configuration file, and waits until it says where it listens.
    ///
    /// # Panics
    /// When it ends instead; the panic shows its log.
    pub fn start(binary: &Path, config: &Path) -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), binary, config)
    }

    /// Like [`start`](Self::start), at an address: that of one that ended, for example.
    ///
    /// # Panics
    /// The same.
    pub fn start_at(address: SocketAddr, binary: &Path, config: &Path) -> Self {
        Self::start_by(Command::new(binary), address, binary, config)
    }

    /// Like [`start`](Self::start), from a shell that runs this script with the command in its arguments.
    ///
    /// # Panics
    /// The same.
    pub fn start_in_shell(script: &str, binary: &Path, config: &Path) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).arg(binary);
        Self::start_by(shell, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), binary, config)
    }

    fn start_by(mut command: Command, address: SocketAddr, binary: &Path, config: &Path) -> Self {
        command.args(["serve", "--http-address", &address.to_string(), "--log-format", "json", "--config"]);
        // What a component keeps by default is relative to its working folder.
        command.arg(config).current_dir(config.parent().expect("a file is in a folder"));
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the component can be started");
        let log = Arc::new(Mutex::new(String::new()));
        let (listens, events) = mpsc::channel();
        let output = child.stderr.take().expect("standard error is piped");
        let sink = Arc::clone(&log);
        std::thread::spawn(move || keep_log(output, &sink, &listens));
        let heard = events.recv_timeout(LIMIT);
        let mut running = Self { address, child, log, events: Mutex::new(events) };
        match heard {
            Ok(address) => running.address = address,
            Err(error) => panic!("{} does not listen, {error}:\n{}", binary.display(), running.log()),
        }
        running
    }

    /// What it has logged, a JSON object per line.
    pub fn log(&self) -> String {
        self.log.lock().expect("not poisoned").clone()
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

    /// The answer to a `DELETE`: status and body.
    pub fn delete(&self, path: &str) -> (u16, Value) {
        let request = agent().delete(format!("http://{}{path}", self.address));
        answer(request.call().expect("the component answers"))
    }

    /// The status of the answer to a request, if there is one: the component may end meanwhile.
    pub fn try_send(address: SocketAddr, method: &str, path: &str, body: &Value) -> Option<u16> {
        let request = ureq::http::Request::builder().method(method).uri(format!("http://{address}{path}"));
        let request = request.header("content-type", "application/json").body(body.to_string());
        agent().run(request.expect("is a request")).ok().map(|answer| answer.status().as_u16())
    }

    /// Sends SIGTERM, waits for the end, and gives all that it has logged.
    pub fn stop(mut self) -> (ExitStatus, String) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process has a number"), Signal::TERM).expect("it runs");
        let status = self.child.wait().expect("it is a child of this process");
        let events = self.events.get_mut().expect("not poisoned");
        let at_end = events.recv_timeout(LIMIT).expect_err("it listens once");
        assert_eq!(at_end, mpsc::RecvTimeoutError::Disconnected, "something else holds on to its log");
        (status, self.log())
    }
}

impl Drop for RunningComponent {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of this machine that nobody listens at now.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("a listener has an address")
}

/// Reads to the end, so that the component never blocks on a full pipe.
fn keep_log(output: ChildStderr, log: &Mutex<String>, listens: &mpsc::Sender<SocketAddr>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        log.lock().expect("not poisoned").extend([line.as_str(), "\n"]);
        if let Some(address) = listening_address(&line) {
            // Nobody waits any more when that took too long.
            let _ = listens.send(address);
        }
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
    // Peers have addresses as well.
    let is_meant = event["message"].as_str()?.starts_with("listening on ");
    if is_meant { event["address"].as_str()?.parse().ok() } else { None }
}
