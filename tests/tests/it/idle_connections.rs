//! Connections that are opened and never used, and what whoever started a component left open.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use racetrack_tests::{RunningComponent, Sandbox};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const COMPONENTS: [&str; 2] = ["lifecycle", "image-builder"];

/// More than the connections that this test opens.
const FILES: u64 = 8192;

/// Long for an answer that takes a millisecond, and short for one that never comes.
const LIMIT: Duration = Duration::from_secs(20);

/// How long it may take until most are answered. Here it is a third of a millisecond.
const AT_ONCE: Duration = Duration::from_millis(100);

fn built() -> Sandbox {
    Sandbox::shared("idle-connections", |sandbox| {
        sandbox.declare("");
        let _ = sandbox.xtask(&["build", "--profile", "dev"]).succeeded();
    })
}

/// Starts a component that may open so many files, from a shell that has left a file open.
fn start(binaries: &Sandbox, component: &str, files: u64) -> (RunningComponent, Sandbox) {
    let sandbox = Sandbox::new(&format!("idle-connections-{component}-{files}"));
    let config = format!("{component}.yaml");
    sandbox.write(&config, "max-connections: 10000\n");
    let shell = format!("ulimit -n {files}; exec 9</dev/null; exec \"$@\"");
    let running =
        RunningComponent::start_in_shell(&shell, &binaries.binary(component), &sandbox.path(&config));
    (running, sandbox)
}

/// Opens connections that begin a request and do not end it.
fn open(address: SocketAddr, count: usize) -> Vec<TcpStream> {
    let connect = |_| {
        let mut connection = TcpStream::connect(address).expect("is taken by the system");
        connection.write_all(b"GET /live HTTP/1.1\r\nHost: x\r\nX-A: ").expect("is sent");
        connection
    };
    (0..count).map(connect).collect()
}

/// The times in which others are answered, the shortest first.
fn times_of_others(address: SocketAddr) -> Vec<Duration> {
    let ask = |_| {
        let start = Instant::now();
        let mut connection = TcpStream::connect_timeout(&address, LIMIT).expect("connects");
        connection.set_read_timeout(Some(LIMIT)).expect("is a time");
        connection.write_all(b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("is sent");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("is answered");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        start.elapsed()
    };
    let mut times: Vec<_> = (0..50).map(ask).collect();
    times.sort();
    times
}

/// Each is answered, and most of them at once. A machine that is busy with something else is given more than one try, for it
/// is late by chance; a component that is slowed by what is idle is so at every one.
fn others_are_answered(address: SocketAddr) {
    let mut medians = Vec::new();
    while medians.iter().all(|median| *median >= AT_ONCE) {
        assert!(
            medians.len() < 20,
            "half of the answers took longer than {AT_ONCE:?} each time: {medians:?}"
        );
        medians.push(times_of_others(address)[25]);
    }
}

#[test]
fn others_are_served_beside_idle_connections() {
    let binaries = built();
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|files| files < FILES) {
        let raised = Rlimit { current: Some(FILES), maximum: maximum.map(|files| files.max(FILES)) };
        setrlimit(Resource::Nofile, raised).expect("5000 connections need as many files: raise `ulimit -Hn`");
    }
    for component in COMPONENTS {
        for (files, count) in [(300, 300), (FILES, 5000)] {
            let (running, _sandbox) = start(&binaries, component, files);
            let idle = open(running.address(), count);
            others_are_answered(running.address());
            drop(idle);
            others_are_answered(running.address());
            let (status, log) = running.stop();
            assert!(status.success(), "{status}\n{log}");
            assert!(!log.contains("Too many open files"), "{log}");
        }
    }
}

#[test]
fn what_was_left_open_is_not_passed_on() {
    let binaries = built();
    for component in COMPONENTS {
        let (running, _sandbox) = start(&binaries, component, 4000);
        let own = format!("/proc/{}", running.id());
        let file = fs_err::read_to_string(Path::new(&own).join("fdinfo/9")).expect("is open");
        let flags = file.lines().find_map(|line| line.strip_prefix("flags:")).expect("has flags").trim();
        let flags = u32::from_str_radix(flags, 8).expect("is octal");
        assert_eq!(flags & 0o2_000_000, 0o2_000_000, "{component} does not pass it on: {file}");
    }
}
