//! A cargo that runs, and why it fails.

use std::io::{PipeReader, Read, pipe};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use anyhow::{Context, Result};
use racetrack_launcher::heartbeat::Heartbeat;

use super::listener::{Complaints, OwnWords};
use crate::shell::Shell;

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Cargo could not be run.
    #[error("cannot run cargo")]
    Run(#[source] anyhow::Error),
    /// Cargo ran, and what it has said or left cannot be used.
    #[error("cannot use what cargo answers")]
    Answer(#[source] anyhow::Error),
    /// Cargo failed and has said why.
    #[error("cargo failed")]
    Failed(Box<Complaints>),
}

/// Runs a command that answers with data. Returns them; what cargo says besides is handed on as it comes.
pub(super) fn ask(mut command: Command, heartbeat: Option<&Heartbeat>) -> Result<String, CompileError> {
    let (status, answer, said) = answer(&mut command, heartbeat)?;
    if status.success() {
        return Ok(answer);
    }
    Err(CompileError::Failed(Box::new(Complaints { output: said, ..Complaints::default() })))
}

fn answer(
    command: &mut Command,
    heartbeat: Option<&Heartbeat>,
) -> Result<(ExitStatus, String, String), CompileError> {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let program = command.get_program().display();
    let mut child = child.with_context(|| format!("cannot start {program}")).map_err(CompileError::Run)?;
    let mut from = child.stderr.take().expect("the output was asked for");
    let mut stdout = child.stdout.take().expect("the output was asked for");
    let mut answer = String::new();
    let (read, said) = thread::scope(|scope| {
        let said = scope.spawn(move || {
            let mut words = OwnWords::new(|text: &[u8]| match heartbeat {
                Some(heartbeat) => heartbeat.pass_on(text),
                None => Shell::pass_on(text),
            });
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = from.read(&mut buffer) {
                words.pass_on(&buffer[..length]);
            }
            words.into_text()
        });
        let read = stdout.read_to_string(&mut answer).context("cannot read what cargo says");
        drop(stdout);
        (read, said.join().expect("passing output through does not panic"))
    });
    let status = wait(&mut child)?;
    read.map(|_| (status, answer, said)).map_err(CompileError::Answer)
}

/// Starts a command. Returns what it writes, to whichever stream.
pub(super) fn start(command: Command) -> Result<(Child, PipeReader), CompileError> {
    try_start(command).map_err(CompileError::Run)
}

fn try_start(mut command: Command) -> Result<(Child, PipeReader)> {
    let (from, to) = pipe().context("cannot make a pipe")?;
    command.stdout(to.try_clone().context("cannot make a pipe")?).stderr(to);
    let child = command.spawn();
    // The command, which holds the writing end of the pipe, ends here; else the pipe would never be closed.
    let child = child.with_context(|| format!("cannot start {}", command.get_program().display()))?;
    Ok((child, from))
}

/// Waits for the end of a command.
pub(super) fn wait(child: &mut Child) -> Result<ExitStatus, CompileError> {
    child.wait().context("cannot wait for cargo").map_err(CompileError::Run)
}
