//! The mistakes of one `Cargo.toml`, at their places.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use toml::de::DeTable;

use super::rules::{CrateRules, FILE_NAME};
use crate::manifest::decode_utf8;
use crate::{Code, Diagnostic, Diagnostics, Location, codes, limits};

/// One crate's manifest while it is checked.
pub(super) struct CrateReport<'a> {
    pub(super) rules: CrateRules<'a>,
    /// The crate's folder in the source: empty for the plugin's own, otherwise ending with a slash.
    pub(super) folder: String,
    shown: PathBuf,
    text: Arc<str>,
    diagnostics: Diagnostics,
}

impl<'a> CrateReport<'a> {
    /// Reads the manifest of the crate in `folder`, which exists.
    pub(super) fn open(rules: CrateRules<'a>, folder: &str) -> Result<Self, Diagnostic> {
        let path = format!("{folder}{FILE_NAME}");
        let shown = rules.shown.file(&path);
        let content = rules.files.get(&path).unwrap_or_default();
        if content.len() > limits::CARGO_MANIFEST_BYTES {
            let limit = limits::CARGO_MANIFEST_BYTES;
            let message = format!("the Cargo.toml has {} bytes, the limit is {limit}", content.len());
            let help = "keep generated data in resource files";
            return Err(
                Diagnostic::new(codes::CRATE_TOO_LARGE, Location::file(shown), message).with_help(help)
            );
        }
        let text = decode_utf8(content, &shown)?;
        Ok(Self { rules, folder: folder.to_owned(), shown, text, diagnostics: Diagnostics::default() })
    }

    /// The text, for [`CrateReport::parse`].
    pub(super) fn text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// The text as TOML; reports every mistake of its syntax.
    pub(super) fn parse<'t>(&mut self, text: &'t str) -> Option<DeTable<'t>> {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let message = format!("the Cargo.toml is no valid TOML: {}", error.message());
            self.report(codes::CRATE_SYNTAX, error.span().unwrap_or(0..0), message, "mend the line");
        }
        errors.is_empty().then(|| table.into_inner())
    }

    /// Whether this is the plugin's own crate.
    pub(super) fn is_plugin(&self) -> bool {
        self.folder.is_empty()
    }

    /// Whether the source has that file; `path` is relative to the crate's folder.
    pub(super) fn has_file(&self, path: &str) -> bool {
        self.rules.files.get(&format!("{}{path}", self.folder)).is_some()
    }

    /// Adds a mistake at a place of the text.
    pub(super) fn report(
        &mut self,
        code: Code,
        range: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let location = Location::in_text(&self.shown, Arc::clone(&self.text), range);
        self.diagnostics.push(Diagnostic::new(code, location, message).with_help(help));
    }

    /// Adds a mistake that is another file's; `path` is relative to the crate's folder.
    pub(super) fn report_file(&mut self, code: Code, path: &str, message: &str, help: &str) {
        let location = Location::file(self.rules.shown.file(&format!("{}{path}", self.folder)));
        self.diagnostics.push(Diagnostic::new(code, location, message).with_help(help));
    }

    /// All mistakes, in the order of the text.
    pub(super) fn into_diagnostics(mut self) -> Diagnostics {
        self.diagnostics.sort_by_place();
        self.diagnostics
    }
}
