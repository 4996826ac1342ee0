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
        let server = run_server(folder.path());
        Self { server, folder }
    }

    /// Ends the server, and with it every connection.
    pub(crate) fn stop(&mut self) {
        end(&mut self.server);
    }

    /// Starts the server again over the same databases.
    pub(crate) fn start_again(&mut self) {
        self.server = run_server(self.folder.path());
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

    /// Runs statements in a database, as somebody beside the store.
    pub(crate) fn run(&self, database: &str, statements: &str) {
        let run = as_postgres(&programs().join("psql"))
            .args([
                "--username=racetrack",
                "--quiet",
                "--set=ON_ERROR_STOP=1",
                "--dbname",
                database,
                "--host",
            ])
            .arg(self.folder.path())
            .args(["--command", statements])
            .output()
            .unwrap();
        assert!(run.status.success(), "psql failed: {}", String::from_utf8_lossy(&run.stderr));
    }

    /// Starts a pooler of three sessions before a database.
    pub(crate) fn start_pooler(&self, database: &str, mode: &str) -> Pooler {
        let folder = self.folder.path();
        let socket_folder = folder.join(mode);
        let is_made = as_postgres(Path::new("mkdir")).arg(&socket_folder).status().unwrap();
        assert!(is_made.success());
        let users = folder.join("users.txt");
        std::fs::write(&users, "\"racetrack\" \"\"\n").unwrap();
        let settings = folder.join(format!("{mode}.ini"));
        let text = format!(
            "[databases]\n{database} = host={} dbname={database}\n[pgbouncer]\nlisten_addr =\nunix_socket_dir = {}\n\
             auth_type = trust\nauth_file = {}\npool_mode = {mode}\ndefault_pool_size = 8\n\
             ignore_startup_parameters = extra_float_digits,options\n",
            folder.display(),
            socket_folder.display(),
            users.display()
        );
        std::fs::write(&settings, text).unwrap();
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].map(Path::new);
        let program = program.into_iter().find(|program| program.exists());
        let program = program.expect("PgBouncer is not installed: `apt-get install pgbouncer`");
        let mut server = as_postgres(program).arg(&settings).stderr(Stdio::piped()).spawn().unwrap();
        wait_until_said(&mut server, "process up");
        let url = format!("postgres://racetrack@localhost:6432/{database}?host={}", socket_folder.display());
        Pooler { server, url }
    }
}

/// A running pooler. It ends with its value, or with the thread that started it.
pub(crate) struct Pooler {
    server: Child,
    url: String,
}

impl Pooler {
    /// The URL of the database behind it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        end(&mut self.server);
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        end(&mut self.server);
    }
}

/// Starts a server over the tables in a folder, with its socket there.
fn run_server(folder: &Path) -> Child {
    let mut server = as_postgres(&programs().join("postgres"))
        .arg("-D")
        .arg(folder.join("tables"))
        .arg("-k")
        .arg(folder)
        .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until_said(&mut server, "ready to accept connections");
    server
}

fn end(server: &mut Child) {
    // It may have ended already, and then there is nothing to end.
    let pid = i32::try_from(server.id()).ok().and_then(Pid::from_raw);
    let _ended_already = pid.map(|pid| kill_process(pid, Signal::QUIT));
    let _exit_code = server.wait();
}

/// The newest version's programs as Debian installs them, or those in the `PATH`.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number =
        |path: &Path| path.file_name().and_then(OsStr::to_str).and_then(|name| name.parse::<u32>().ok());
    let newest = versions.map(|entry| entry.path()).filter(|path| path.join("bin/initdb").exists());
    let newest = newest.max_by_key(|path| number(path));
    let in_path = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).find(|folder| folder.join("initdb").exists())
    };
    let programs = newest.map(|version| version.join("bin")).or_else(in_path);
    programs.expect("the server of PostgreSQL is not installed: `apt-get install postgresql`")
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

/// Reads what a server says until it says that it is ready, and goes on reading, so that it can go on talking.
fn wait_until_said(server: &mut Child, ready: &'static str) {
    let lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let (ready_tx, ready_rx) = mpsc::channel();
    thread::spawn(move || {
        let mut said = String::new();
        for line in lines.map_while(Result::ok) {
            let is_ready = line.contains(ready);
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
        panic!("the server did not start: {said}");
    }
}
