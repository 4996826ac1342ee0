//! Running cargo with a sign of life where a person watches.

use std::io::{self, IsTerminal, Read};
use std::process::{Command, ExitStatus, Stdio};

use racetrack_launcher::heartbeat::Heartbeat;

/// The width of a terminal that does not say how wide it is.
const WIDTH: usize = 80;

/// Runs a command of cargo to its end. What it says is handed on as it comes.
pub(crate) fn run(command: &mut Command) -> io::Result<ExitStatus> {
    let width = io::stderr().is_terminal().then(terminal_width);
    if let Some(width) = width {
        // Cargo writes to us, not to the terminal; it is to look as if it did.
        command.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", width.to_string());
        if std::env::var_os("CARGO_TERM_COLOR").is_none() && std::env::var_os("NO_COLOR").is_none() {
            command.env("CARGO_TERM_COLOR", "always");
        }
    }
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    let mut from = child.stderr.take().expect("standard error is piped");
    let heartbeat = Heartbeat::start("Compiling the build system", width);
    let mut buffer = [0; 8192];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => heartbeat.pass_on(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    child.wait()
}

/// What `stty` says of the terminal.
fn terminal_width() -> usize {
    let mut command = Command::new("stty");
    command.arg("size").stdin(Stdio::inherit()).stderr(Stdio::null());
    let text = command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let columns = text.ok().and_then(|text| text.split_whitespace().nth(1)?.parse().ok());
    columns.filter(|columns| *columns > 0).unwrap_or(WIDTH)
}
