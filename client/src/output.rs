//! What the commands print: results on standard output, everything else on standard error. The only place that
//! prints.

use anyhow::Error;
use racetrack_bundle::{DiagnosticRecord, Diagnostics, Style, render};
use serde::Serialize;

use crate::cli::Format;

/// Mistakes in a plugin, as an error on their way to the end of a command.
#[derive(Debug, thiserror::Error)]
#[error("the plugin has mistakes")]
pub(crate) struct Rejected(pub(crate) Diagnostics);

/// Prints the result of a command: `text` for people, `record` for scripts.
pub(crate) fn result(text: &str, record: &impl Serialize, format: Format) -> serde_json::Result<()> {
    match format {
        Format::Text => line(text),
        Format::Json => line(&serde_json::to_string_pretty(record)?),
    }
    Ok(())
}

/// Prints why a command failed: the mistakes, or the whole chain of errors once.
pub(crate) fn failure(error: &Error, format: Format) {
    let diagnostics = error.downcast_ref::<Rejected>().map(|Rejected(diagnostics)| diagnostics);
    match (format, diagnostics) {
        (Format::Text, Some(diagnostics)) => note(&render(diagnostics, Style::Styled)),
        (Format::Text, None) => note(&format!("error: {error:#}")),
        (Format::Json, Some(diagnostics)) => {
            let records: Vec<_> = diagnostics.0.iter().map(DiagnosticRecord::from).collect();
            line(&format!("{:#}", serde_json::json!({ "diagnostics": records })));
        }
        (Format::Json, None) => line(&format!("{:#}", serde_json::json!({ "error": format!("{error:#}") }))),
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
