//! One module per command.

pub(crate) mod bundle;
pub(crate) mod check;
pub(crate) mod new;

use serde::Serialize;

use crate::{Failure, Format};

/// The result of a command: `text` for people, `record` for scripts.
fn result(text: String, record: &impl Serialize, format: Format) -> Result<String, Failure> {
    match format {
        Format::Text => Ok(text),
        Format::Json => serde_json::to_string_pretty(record).map_err(Failure::Json),
    }
}
