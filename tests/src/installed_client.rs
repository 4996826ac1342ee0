//! The `racetrack` command as users install it, from `PyPI`.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::{Finished, checkout, python_package};

/// The package and its version.
const PACKAGE: &str = "racetrack-client==2.35.1";

/// How long a line, or the end of a command, may be waited for.
const LIMIT: Duration = Duration::from_mins(1);

/// The client of one user, with a home of its own. It is run in the checkout, without a terminal.
pub struct InstalledClient {
    program: PathBuf,
    home: PathBuf,
    transcript: RefCell<String>,
}

/// A command of the client that goes on until it is ended.
pub struct Following {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl InstalledClient {
    /// The client of a user with that home. It is installed below `tools` unless it is there already.
    ///
    /// # Panics
    /// When it cannot be installed; the panic says what that takes.
    pub fn new(tools: &Path, home: PathBuf) -> Self {
        fs_err::create_dir_all(&home).expect("a home can be made");
        Self {
            program: python_package::install(PACKAGE, "racetrack", tools),
            home,
            transcript: RefCell::default(),
        }
    }

    /// Runs a command, and puts it into the transcript with what it said.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        let finished = self.run_silently(arguments);
        self.note(arguments, &finished);
        finished
    }

    /// Runs a command whose output differs from run to run.
    pub fn run_silently(&self, arguments: &[&str]) -> Finished {
        Finished::run(self.command(&self.program).args(arguments))
    }

    /// Runs a command that asks for a password.
    pub fn run_with_password(&self, arguments: &[&str], password: &str) -> Finished {
        // Away from any terminal, where the password would be read from.
        let mut command = self.command(Path::new("setsid"));
        command.arg("--wait").arg(&self.program).args(arguments);
        let finished = Finished::run_with_input(&mut command, &format!("{password}\n"));
        self.note(arguments, &finished);
        finished
    }

    /// Starts a command that goes on.
    pub fn follow(&self, arguments: &[&str]) -> Following {
        let mut command = self.command(&self.program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the client can be started");
        let output = BufReader::new(child.stdout.take().expect("standard output is piped"));
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // The test may have seen enough.
                let _ = sender.send(line);
            }
        });
        Following { child, lines }
    }

    /// What was typed and said so far.
    pub fn transcript(&self) -> String {
        self.transcript.borrow().clone()
    }

    /// The file where the client keeps where to go and which token to show.
    pub fn config_file(&self) -> PathBuf {
        self.home.join(".racetrack/config.yaml")
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("HOME", &self.home).env("LANG", "C.UTF-8");
        command.env("TZ", "UTC").env("PYTHONUNBUFFERED", "1").current_dir(checkout());
        command
    }

    fn note(&self, arguments: &[&str], finished: &Finished) {
        let mut transcript = self.transcript.borrow_mut();
        transcript.push_str("$ racetrack");
        for argument in arguments {
            let quote = if argument.contains([' ', '{']) { "'" } else { "" };
            write!(transcript, " {quote}{argument}{quote}").expect("text can be appended");
        }
        let code = finished.code.map_or("none".to_owned(), |code| code.to_string());
        let code = if code == "0" { String::new() } else { format!("exit code {code}\n") };
        write!(transcript, "\n{}{code}", finished.stdout).expect("text can be appended");
    }
}

impl Following {
    /// Waits for a line, and gives those before it.
    ///
    /// # Panics
    /// When it does not come in time, or the command ends.
    pub fn wait_for(&self, wanted: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) if line == wanted => return seen,
                Ok(line) => seen.push(line),
                Err(error) => panic!("{wanted:?} does not come, {error}:\n{}", seen.join("\n")),
            }
        }
    }

    /// Waits until the command ends by itself.
    ///
    /// # Panics
    /// When it does not in time.
    pub fn ended(mut self) -> ExitStatus {
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("the command goes on"),
            }
        }
        self.child.wait().expect("it is a child of this process")
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
