//! A PostgreSQL server of the test's own, from Debian's package.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A running server with an empty database cluster. It ends with its value, or with the thread that started it.
pub(crate) struct PostgresServer {
    server: Child,
    folder: TempDir,
}

impl PostgresServer {
    /// Starts a server that listens on a socket in a folder of its own.
    pub(crate) fn start() -> Self {
        let programs = programs();
        let folder = tempfile::tempdir().unwrap();
        if rustix::process::geteuid().is_root() {
            let owner = Command::new("chown").arg("postgres").arg(folder.path()).status().unwrap();
            assert!(owner.success(), "PostgreSQL refuses to run as root, and there is no user `postgres`");
        }
        let tables = folder.path().join("tables");
        let made = as_postgres(&programs.join("initdb"))
            .args(["--no-sync", "--auth=trust", "--username=racetrack", "--encoding=UTF8", "--no-locale"])
            .arg("--pgdata")
            .arg(&tables)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        let mut server = as_postgres(&programs.join("postgres"))
            .arg("-D")
            .arg(&tables)
            .arg("-k")
            .arg(folder.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off"])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_until_ready(&mut server);
        Self { server, folder }
    }

    /// The URL of a new, empty database.
    pub(crate) fn new_database(&self, name: &str) -> String {
        let made = as_postgres(&programs().join("createdb"))
            .args(["--username=racetrack", "--host"])
            .arg(self.folder.path())
            .arg(name)
            .output()
            .unwrap();
        assert!(made.status.success(), "createdb failed: {}", String::from_utf8_lossy(&made.stderr));
        format!("postgres://racetrack@localhost/{name}?host={}", self.folder.path().display())
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // It may have ended already, and then there is nothing to end.
        let pid = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw);
        let _ended_already = pid.map(|pid| kill_process(pid, Signal::QUIT));
        let _exit_code = self.server.wait();
    }
}

/// The newest version's programs.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number =
        |path: &Path| path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse::<u32>().ok());
    let newest = versions.map(|entry| entry.path()).filter(|path| path.join("bin/initdb").exists());
    let newest = newest.max_by_key(|path| number(path));
    newest.expect("the server of PostgreSQL is not installed: `apt-get install postgresql`").join("bin")
}

/// A command that runs as the user `postgres` when the tests run as root, and ends when the test's thread does.
fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid", "postgres", "--regid", "postgres", "--init-groups"]);
    }
    command.arg(program).env("LC_ALL", "C");
    command
}

/// Reads what the server says until it is ready, and goes on reading, so that it can go on talking.
fn wait_until_ready(server: &mut Child) {
    let lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let (ready_tx, ready_rx) = mpsc::channel();
    thread::spawn(move || {
        let mut said = String::new();
        for line in lines.map_while(Result::ok) {
            let is_ready = line.contains("ready to accept connections");
            said.push_str(&line);
            said.push('\n');
            if is_ready {
                // Nobody listens to a second time.
                let _ = ready_tx.send(Ok(()));
            }
        }
        let _ = ready_tx.send(Err(said));
    });
    if let Err(said) = ready_rx.recv().unwrap() {
        server.wait().unwrap();
        panic!("PostgreSQL did not start: {said}");
    }
}
