//! The only place that writes to the terminal, besides the log.

use std::error::Error;
use std::io::{self, Write};

/// Prints what was asked for.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints an error and its sources, one per line.
pub(crate) fn print_error(error: &dyn Error) {
    let mut lines = vec![format!("error: {error}")];
    let mut source = error.source();
    while let Some(error) = source {
        lines.push(format!("  caused by: {error}"));
        source = error.source();
    }
    let text = lines.join("\n") + "\n";
    // There is nobody left to tell when standard error is gone; the exit code still speaks.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
