//! What is wrong with something a user wrote: where, why, and what to do about it.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// A stable kebab-case name of one kind of mistake, such as `unknown-key`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub &'static str);

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of mistake it is.
    pub code: Code,
    /// One sentence, lower-case first letter, no final period.
    pub message: String,
    /// Where it is.
    pub location: Location,
    /// What to do about it; each can be acted on.
    pub help: Vec<String>,
}

/// Where a mistake is: a file (or an entry of a bundle), and a place in its text where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// As shown to people: relative to the folder of the declaration, `bundle.zip!/path` inside a bundle.
    pub file: PathBuf,
    /// The place in the text, if the file is text and the mistake has a place.
    pub span: Option<SourceSpan>,
}

/// A range of bytes in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSpan {
    /// The whole text of the file.
    pub text: Arc<str>,
    /// The bytes that are wrong.
    pub range: Range<usize>,
}

/// All mistakes found in one run, in the order they were found. Never empty where it is an error value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}
