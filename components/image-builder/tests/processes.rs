//! What image-builder leaves on a machine: processes and modes. Seen from outside, in processes of their own.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

const IMAGE_BUILDER: &str = env!("CARGO_BIN_EXE_image-builder-without-plugins");

/// How long anything here may take on a busy machine.
const LIMIT: Duration = Duration::from_mins(1);

/// Leaves its group and session, drops its environment, says who it is in the file `$1`, and stays.
const ESCAPE: &str = r#"
setsid env -i /bin/sh -c 'echo $$ > "$0.new"; mv "$0.new" "$0"; exec sleep 600' "$1" </dev/null >/dev/null 2>&1 &
while [ ! -e "$1" ]; do sleep 0.01; done
"#;

/// A supervisor that this process has started, as image-builder does, for a shell with a script.
fn supervised(script: &str, argument: &Path) -> Command {
    let mut command = Command::new(IMAGE_BUILDER);
    command.args(["supervise-build-tool", &std::process::id().to_string(), "777"]);
    command.args(["sh", "-c", script, "tool"]);
    command.arg(argument);
    command
}

fn pid_in(file: &Path) -> Pid {
    wait_until("the process says who it is", || file.exists());
    let text = fs::read_to_string(file).expect("can be read");
    Pid::from_raw(text.trim().parse().expect("a number")).expect("is no zero")
}

fn is_gone(pid: Pid) -> bool {
    test_kill_process(pid).is_err()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill(child: &mut Child) {
    child.kill().expect("is running");
    child.wait().expect("can be awaited");
}

#[test]
fn a_tool_has_the_limit_of_open_files_that_image_builder_was_started_with() {
    let script = "test \"$(ulimit -Sn)\" = 777";
    let status = supervised(script, Path::new("")).status().expect("runs");
    assert!(status.success(), "{status}");
}

#[test]
fn what_a_tool_leaves_behind_ends_with_it() {
    let folder = tempfile::tempdir().expect("can be made");
    for (number, (end, status)) in
        [("exit 7", 7), ("exit 0", 0), ("kill -9 $$", 128 + 9)].into_iter().enumerate()
    {
        let file = folder.path().join(number.to_string());
        let output =
            supervised(&format!("{ESCAPE} echo said; {end}"), &file).output().expect("can be started");
        assert_eq!(output.status.code(), Some(status), "{end}: {output:?}");
        assert_eq!(output.stdout, b"said\n");
        assert!(is_gone(pid_in(&file)), "{end}");
    }
}

#[test]
fn what_a_tool_has_started_ends_when_the_build_is_given_up() {
    let folder = tempfile::tempdir().expect("can be made");
    let file = folder.path().join("pid");
    // A tool that ignores the signal, too.
    let mut child =
        supervised(&format!("trap '' TERM; {ESCAPE} sleep 600"), &file).spawn().expect("can be started");
    let escaped = pid_in(&file);
    kill_process(Pid::from_child(&child), Signal::TERM).expect("is running");
    let status = child.wait().expect("can be awaited");
    assert!(!status.success() && status.signal().is_none(), "{status}");
    assert!(is_gone(escaped));
}

#[test]
fn what_a_tool_has_started_ends_when_image_builder_is_killed() {
    let folder = tempfile::tempdir().expect("can be made");
    let file = folder.path().join("pid");
    // The outer shell stands for image-builder.
    let script = r#""$0" supervise-build-tool $$ 777 sh -c "$1" tool "$2" & wait"#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, IMAGE_BUILDER, &format!("{ESCAPE} sleep 600")]).arg(&file);
    let mut shell = shell.spawn().expect("can be started");
    let escaped = pid_in(&file);
    kill(&mut shell);
    wait_until("the process ends", || is_gone(escaped));
}

#[test]
fn a_tool_that_cannot_be_started_is_told_from_one_that_fails() {
    let supervise = |parent: u32, program: &str| {
        let mut command = Command::new(IMAGE_BUILDER);
        let output = command.args(["supervise-build-tool", &parent.to_string(), "777", program]).output();
        let output = output.expect("can be started");
        (output.status.code(), String::from_utf8(output.stderr).expect("is text"))
    };
    let this = std::process::id();
    assert_eq!(
        supervise(this, "no-such-tool"),
        (Some(125), "No such file or directory (os error 2)\n".to_owned())
    );
    // Image-builder has ended before the supervisor began.
    assert_eq!(supervise(this + 1, "true"), (Some(125), "image-builder has ended\n".to_owned()));
}

/// A running image-builder, in a folder of its own.
struct ImageBuilder {
    folder: tempfile::TempDir,
    child: Child,
    address: SocketAddr,
}

impl ImageBuilder {
    fn start(umask: &str) -> Self {
        Self::start_with(umask, "")
    }

    /// Behind a proxy, as its environment says.
    fn start_with(umask: &str, proxy: &str) -> Self {
        let folder = tempfile::tempdir().expect("can be made");
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!(r#"umask {umask}; exec "$0" "$@""#), IMAGE_BUILDER, "serve"]);
        shell.args(["--http-address", "127.0.0.1:0", "--lifecycle-url", "", "--log-format", "json"]);
        let mut child = shell
            .current_dir(&folder)
            .env("http_proxy", proxy)
            .stderr(Stdio::piped())
            .spawn()
            .expect("can be started");
        let mut log = BufReader::new(child.stderr.take().expect("is piped")).lines();
        let address = log.by_ref().find_map(|line| {
            let event: Value = serde_json::from_str(&line.expect("is text")).ok()?;
            event["address"].as_str()?.parse().ok()
        });
        // So that it never waits for somebody to read.
        std::thread::spawn(move || log.for_each(drop));
        Self { folder, child, address: address.expect("says where it listens") }
    }

    /// Asks for a build from git. The connection is the caller.
    fn build(&self, id: &str, remote: &str) -> TcpStream {
        let body = json!({
            "manifest": {
                "name": "adder", "owner_email": "a@example.com", "jobtype": "any:latest", "git": {"remote": remote},
            },
            "tag": "1", "deployment_id": id,
        });
        let body = body.to_string();
        let mut connection = TcpStream::connect(self.address).expect("connects");
        let head =
            format!("POST /api/v1/build HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        connection.write_all((head + &body).as_bytes()).expect("is sent");
        connection
    }

    fn kept(&self, path: &str) -> PathBuf {
        self.folder.path().join(".racetrack-run/image-builder").join(path)
    }
}

impl Drop for ImageBuilder {
    fn drop(&mut self) {
        // The test may have ended it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ID: &str = "5c0a1d9e-7a40-4a8e-9d7c-0242ac120002";

/// A server of git that takes a connection and never answers.
fn silent_server() -> (TcpListener, String) {
    let server = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = server.local_addr().expect("has one");
    (server, format!("http://{address}/jobs.git"))
}

#[test]
fn git_ends_when_image_builder_is_killed_or_its_caller_hangs_up() {
    let (server, _) = silent_server();
    let address = server.local_addr().expect("has one");
    // The connection is git's own: the one through image-builder would end with image-builder, whatever git does.
    let mut builder = ImageBuilder::start_with("022", &format!("http://{address}"));
    let is_left = |end: &mut dyn FnMut(TcpStream)| {
        let caller = builder.build(ID, "http://example.com/jobs.git");
        let (mut git, _) = server.accept().expect("git calls");
        git.peek(&mut [0]).expect("git asks");
        end(caller);
        // The connection ends with the last process that holds it.
        git.set_read_timeout(Some(LIMIT)).expect("can be set");
        let mut asked = String::new();
        git.read_to_string(&mut asked).expect("git has ended");
        assert!(asked.starts_with("GET http://example.com/jobs.git/info/refs"), "{asked}");
    };
    is_left(&mut drop);
    let child = Pid::from_child(&builder.child);
    is_left(&mut |_| kill_process(child, Signal::KILL).expect("is running"));
    builder.child.wait().expect("can be awaited");
}

#[test]
fn lifecycles_user_may_read_bundles_and_the_cache_whatever_the_umask_and_nothing_else() {
    for umask in ["000", "077"] {
        let (server, remote) = silent_server();
        let builder = ImageBuilder::start(umask);
        let _caller = builder.build(ID, &remote);
        let (_git, _) = server.accept().expect("git calls");
        let mode = |path: &str| {
            let path = builder.kept(path);
            fs::metadata(&path).expect("is there").permissions().mode() & 0o777
        };
        let workspace = format!("workspaces/{ID}");
        let log = format!("build-logs/{ID}.log");
        let modes = ["..", "", "bundles", "cache", &workspace, &log, "workspaces/.lock"].map(mode);
        assert_eq!(modes, [0o755, 0o755, 0o755, 0o755, 0o700, 0o600, 0o600], "umask {umask}");
    }
}
