//! `cargo xtask up`: builds the components and runs them on this machine until Ctrl-C.

use racetrack_composer::session::Session;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::build::request;
use crate::cli::UpArgs;
use racetrack_composer::build::{Purpose, build};
use racetrack_composer::shell::Shell;

/// Where components listen by default; others take any free port.
const DEFAULT_PORTS: [(&str, u16); 2] = [(IMAGE_BUILDER, 7201), (LIFECYCLE, 7202)];
const IMAGE_BUILDER: &str = "image-builder";
const LIFECYCLE: &str = "lifecycle";
/// How long a component may take to become ready.
const READY_LIMIT: Duration = Duration::from_mins(1);
/// How long a component may take to stop before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// How often processes and signals are looked at.
const INTERVAL: Duration = Duration::from_millis(50);

/// A running component. Killed when dropped, so that no error leaves it behind.
struct Running {
    name: String,
    address: SocketAddr,
    child: Child,
}

/// Builds, starts, waits, stops.
pub(crate) fn run(declaration: Option<&Path>, args: &UpArgs, session: &Session) -> Result<()> {
    let shell = &session.shell;
    let stop = Arc::new(AtomicBool::new(false));
    let distribution = build(&request(declaration, &args.build, Purpose::FirstLook), session)?;
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot listen for Ctrl-C")?;
    }
    let chosen: BTreeMap<_, _> =
        args.http_address.iter().map(|(name, address)| (name.as_str(), *address)).collect();
    if let Some(unknown) =
        chosen.keys().find(|name| !distribution.binaries.iter().any(|(known, _)| known == *name))
    {
        bail!("`--http-address` names `{unknown}`, which is not being started");
    }
    let mut addresses = BTreeMap::new();
    for (name, _) in &distribution.binaries {
        let address = chosen.get(name.as_str()).copied().unwrap_or_else(|| default_address(name));
        let address = if address.port() == 0 { free_port(address.ip())? } else { address };
        addresses.insert(name.clone(), address);
    }
    let variables = introductions(&addresses)?;
    let mut running = Vec::new();
    for (name, binary) in &distribution.binaries {
        running.push(start(name, binary, addresses[name], &variables, shell)?);
    }
    for component in &mut running {
        match wait_until_ready(component, &stop) {
            Ok(true) => {}
            Ok(false) => return stop_all(running, shell),
            Err(error) => return stop_all(running, shell).and(Err(error)),
        }
        shell.status("Serving", format_args!("`{}` at http://{}", component.name, component.address));
    }
    shell.status("Ready", "press Ctrl-C to stop");
    if let Some(lifecycle) = addresses.get(LIFECYCLE) {
        show_first_steps(*lifecycle, shell);
    }
    let failure = loop {
        if stop.load(Ordering::Relaxed) {
            break None;
        }
        if let Some(failure) = running.iter_mut().find_map(exited) {
            break Some(failure);
        }
        thread::sleep(INTERVAL);
    };
    stop_all(running, shell)?;
    match failure {
        None => Ok(()),
        Some(failure) => bail!("{failure}; the other components were stopped"),
    }
}

fn default_address(component: &str) -> SocketAddr {
    let port = DEFAULT_PORTS.iter().find(|(name, _)| *name == component).map_or(0, |(_, port)| *port);
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// The environment in which the components find each other, and know each other by a secret of this run. What the
/// environment says already stays.
fn introductions(addresses: &BTreeMap<String, SocketAddr>) -> Result<Vec<(&'static str, String)>> {
    let mut variables = vec![("COMPONENT_AUTH_TOKEN", secret()?)];
    let url = |name: &str| addresses.get(name).map(|address| format!("http://{}", reachable(*address)));
    variables.extend(url(LIFECYCLE).map(|url| ("LIFECYCLE_URL", url)));
    variables.extend(url(IMAGE_BUILDER).map(|url| ("IMAGE_BUILDER_URL", url)));
    variables.retain(|(name, _)| std::env::var_os(name).is_none());
    Ok(variables)
}

fn secret() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Where this machine reaches what listens on every address.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

/// What to type first, with the client that `PyPI` has.
fn show_first_steps(lifecycle: SocketAddr, shell: &Shell) {
    let url = format!("http://{}/lifecycle", reachable(lifecycle));
    let client = "python3 -m venv .venv && . .venv/bin/activate && pip install racetrack-client==2.35.1";
    shell.status("Client", client);
    shell.status("Log in", format_args!("racetrack set remote {url} && racetrack login --username admin"));
    shell.status("Deploy", "racetrack deploy samples/python-adder --build-context local < /dev/null");
    shell.status("API", format_args!("{url}/docs"));
}

fn start(
    name: &str,
    binary: &Path,
    address: SocketAddr,
    variables: &[(&'static str, String)],
    shell: &Shell,
) -> Result<Running> {
    shell.status("Starting", format_args!("`{name}` on {address}"));
    let mut command = Command::new(binary);
    command.args(["serve", "--http-address", &address.to_string()]).stdin(Stdio::null());
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    // Ctrl-C is for us alone: a component would take it for the first of two signals, and ours for the second.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
    Ok(Running { name: name.to_owned(), address, child })
}

/// A port that nobody listens on now. Somebody may take it before the component does, which then says so.
fn free_port(ip: IpAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind((ip, 0)).with_context(|| format!("there is no free port on {ip}"))?;
    listener.local_addr().context("cannot find out the free port")
}

/// Returns false when the user asked to stop in the meantime.
fn wait_until_ready(component: &mut Running, stop: &AtomicBool) -> Result<bool> {
    let deadline = Instant::now() + READY_LIMIT;
    while !stop.load(Ordering::Relaxed) {
        if let Some(failure) = exited(component) {
            bail!("{failure} before it was ready");
        }
        if is_ready(component.address) {
            return Ok(true);
        }
        if Instant::now() > deadline {
            bail!("component `{}` was not ready within {} s", component.name, READY_LIMIT.as_secs());
        }
        thread::sleep(INTERVAL);
    }
    Ok(false)
}

fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let request = format!("GET /ready HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut status_line = [0; b"HTTP/1.1 200".len()];
        stream.read_exact(&mut status_line)?;
        Ok(status_line.starts_with(b"HTTP/1.") && status_line.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

/// What to say about a component that is no longer running.
fn exited(component: &mut Running) -> Option<String> {
    match component.child.try_wait() {
        Ok(None) => None,
        Ok(Some(status)) => Some(format!("component `{}` ended by itself ({status})", component.name)),
        Err(error) => Some(format!("component `{}` cannot be watched: {error}", component.name)),
    }
}

/// Asks every component to stop, waits, and kills what is left.
fn stop_all(mut running: Vec<Running>, shell: &Shell) -> Result<()> {
    shell.status(
        "Stopping",
        running.iter().map(|component| component.name.as_str()).collect::<Vec<_>>().join(", "),
    );
    for component in &mut running {
        ask_to_stop(&mut component.child);
    }
    let deadline = Instant::now() + STOP_LIMIT;
    let mut killed = Vec::new();
    for component in &mut running {
        while component.child.try_wait().context("cannot watch a component")?.is_none() {
            if Instant::now() > deadline {
                component.child.kill().context("cannot kill a component")?;
                component.child.wait().context("cannot wait for a component")?;
                killed.push(format!("`{}`", component.name));
                break;
            }
            thread::sleep(INTERVAL);
        }
    }
    if killed.is_empty() {
        return Ok(());
    }
    bail!("{} did not stop within {} s and had to be killed", killed.join(", "), STOP_LIMIT.as_secs())
}

#[cfg(unix)]
fn ask_to_stop(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process};

    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid.filter(|_| matches!(child.try_wait(), Ok(None))) {
        // It may have ended since; then there is nothing to stop.
        let _ = kill_process(pid, Signal::TERM);
    }
}

#[cfg(not(unix))]
fn ask_to_stop(child: &mut Child) {
    // There is no way to ask. It may have ended by itself; then there is nothing to stop.
    let _ = child.kill();
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers one request with `status`, on a free port.
    fn server(status: &'static str) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            assert!(request.starts_with(b"GET /ready HTTP/1.1\r\n"));
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
        });
        address
    }

    #[test]
    fn ready_means_200() {
        assert!(is_ready(server("200 OK")));
        assert!(!is_ready(server("503 Service Unavailable")));
        let nobody = free_port(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        assert!(!is_ready(nobody));
    }

    #[test]
    fn known_components_have_their_ports() {
        assert_eq!(default_address("lifecycle").port(), 7202);
        assert_eq!(default_address("image-builder").port(), 7201);
        assert_eq!(default_address("other").port(), 0);
    }
}
