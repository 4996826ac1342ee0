//! The log of the job: the only place that prints.

use std::io::Write;

/// Prints one line.
pub(crate) fn line(text: &str) {
    // A job whose log nobody takes goes on working.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
