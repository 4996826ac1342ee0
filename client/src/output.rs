//! What the program prints: results on standard output, everything else on standard error. The only place that prints.

use racetrack_bundle::{Style, render};
use racetrack_client::{Failure, Format};

/// Prints why a command failed: the mistakes, or the whole chain of errors once.
pub(crate) fn failure(failure: &Failure, format: Format) {
    match (format, failure) {
        (Format::Json, _) => line(&failure.document()),
        (Format::Text, Failure::Rejected(diagnostics)) => note(&render(diagnostics, Style::Styled)),
        (Format::Text, _) => note(&format!("error: {}", failure.sentence())),
    }
}

/// Prints text on standard output.
pub(crate) fn line(text: &str) {
    anstream::println!("{text}");
}

/// Colours are for terminals; elsewhere `anstream` drops them.
fn note(text: &str) {
    anstream::eprintln!("{text}");
}
