//! The text of a declaration.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use racetrack_bundle::{Code, Diagnostic, Diagnostics, Location};

use crate::codes;

/// The largest declaration, in bytes; checked before it is read.
const MAX_BYTES: u64 = 1024 * 1024;

/// A declaration as text, to point into.
#[derive(Clone, Debug)]
pub struct Document {
    /// As shown to people: the bare file name, because everything is shown relative to its folder.
    pub file: PathBuf,
    /// The text, without byte order mark.
    pub text: Arc<str>,
}

impl Document {
    /// Reads the file.
    pub fn load(path: &Path) -> Result<Self, Diagnostics> {
        let shown = path.file_name().map_or_else(|| path.to_path_buf(), PathBuf::from);
        let missing = |error: &std::io::Error| {
            let message = match error.kind() {
                ErrorKind::NotFound => "there is no such declaration".to_owned(),
                _ => format!("the declaration cannot be read: {error}"),
            };
            Diagnostic::new(codes::MISSING_DECLARATION, Location::file(path), message)
                .with_help("name the declaration with `--declaration PATH`")
        };
        let metadata = path.metadata().map_err(|error| missing(&error))?;
        if metadata.len() > MAX_BYTES {
            let message = format!("the declaration is larger than {MAX_BYTES} bytes");
            let help = "is this the right file? A declaration names sources, it does not hold them";
            let location = Location::file(shown);
            return Err(Diagnostic::new(codes::DECLARATION_TOO_LARGE, location, message)
                .with_help(help)
                .into());
        }
        let bytes = std::fs::read(path).map_err(|error| missing(&error))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let line =
                error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
            let message = format!("line {line} is no UTF-8 text");
            Diagnostic::new(codes::NOT_UTF8, Location::file(&shown), message)
                .with_help("save the file as UTF-8")
        })?;
        Ok(Self { file: shown, text: text.strip_prefix('\u{feff}').unwrap_or(&text).into() })
    }

    /// A mistake at a place of the text.
    pub fn diagnostic(&self, code: Code, place: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, Location::in_text(&self.file, Arc::clone(&self.text), place), message)
    }
}
