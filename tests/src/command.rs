//! Commands that ran to their end.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The outcome of a command.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    shown: String,
}

impl Finished {
    /// Runs a command to its end, with no terminal and no input.
    pub fn run(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output().expect("the command can be started");
        Self::new(command, &output)
    }

    /// Runs a command to its end, with no terminal and no input; `meanwhile` is called once it runs.
    pub fn run_while(command: &mut Command, meanwhile: impl FnOnce()) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("the command can be started");
        meanwhile();
        Self::new(command, &child.wait_with_output().expect("the command ends"))
    }

    /// Runs a command to its end, with no terminal and with this input.
    pub fn run_with_input(command: &mut Command, input: &str) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command can be started");
        let mut stdin = child.stdin.take().expect("standard input is piped");
        stdin.write_all(input.as_bytes()).expect("the command reads its input");
        drop(stdin);
        Self::new(command, &child.wait_with_output().expect("the command ends"))
    }

    /// The same outcome, which must be a success.
    #[must_use]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}\n{}", self.shown, self.stdout, self.stderr);
        self
    }

    /// The same outcome, which must have this exit code.
    #[must_use]
    pub fn failed_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}\n{}", self.shown, self.stdout, self.stderr);
        self
    }

    /// The crates that cargo compiled, as its `Compiling` lines name them.
    pub fn compiled_crates(&self) -> Vec<&str> {
        let lines = self.stderr.lines().filter_map(|line| line.trim_start().strip_prefix("Compiling "));
        // xtask writes `Compiling component …`; cargo writes `Compiling name v1.2.3 …`.
        let of_cargo = lines.filter(|rest| rest.split(' ').nth(1).is_some_and(is_version));
        of_cargo.filter_map(|rest| rest.split(' ').next()).collect()
    }

    fn new(command: &Command, output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            shown: format!("{command:?}"),
        }
    }
}

fn is_version(word: &str) -> bool {
    word.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
