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
    /// What brought in the file that is wrong, where a declaration did.
    pub declared_at: Option<Box<Location>>,
}

/// Where a mistake is: a file (or an entry of a bundle), and a place in its text where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// As shown to people: relative to the folder of the declaration, `bundle.zip!/path` inside a bundle.
    pub file: PathBuf,
    /// The place in the text, if the file is text and the mistake has a place.
    pub span: Option<Box<SourceSpan>>,
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

impl Diagnostic {
    /// A mistake without help.
    pub fn new(code: Code, location: Location, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), location, help: Vec::new(), declared_at: None }
    }

    /// Adds a line of help.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds what brought in the file.
    #[must_use]
    pub fn with_declaration(mut self, place: Location) -> Self {
        self.declared_at = Some(Box::new(place));
        self
    }
}

impl Location {
    /// A file as a whole.
    pub fn file(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), span: None }
    }

    /// A range of bytes in a file's text. A range that is not inside the text is cut to it.
    pub fn in_text(file: impl Into<PathBuf>, text: Arc<str>, range: Range<usize>) -> Self {
        let start = text.floor_char_boundary(range.start);
        let end = text.ceil_char_boundary(range.end).max(start);
        Self { file: file.into(), span: Some(Box::new(SourceSpan { text, range: start..end })) }
    }

    /// Line and column of the first wrong byte, both counted from 1, columns in characters.
    pub fn line_and_column(&self) -> Option<(usize, usize)> {
        self.span.as_ref().map(|span| span.line_and_column())
    }
}

impl SourceSpan {
    /// Line and column of the first wrong byte, both counted from 1, columns in characters.
    pub fn line_and_column(&self) -> (usize, usize) {
        let before = &self.text[..self.range.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

impl Diagnostics {
    /// Adds a mistake.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds all mistakes of another run.
    pub fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Sorts the mistakes of one file by their places; mistakes of the file as a whole come first.
    pub fn sort_by_place(&mut self) {
        self.0.sort_by_key(|one| one.location.span.as_ref().map(|span| span.range.start));
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value`, unless something is wrong.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        match self.line_and_column() {
            Some((line, column)) => write!(f, ":{line}:{column}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_in_characters() {
        let text: Arc<str> = "a\nžluť: x\n".into();
        let at = |start: usize| Location::in_text("f", Arc::clone(&text), start..start).to_string();
        assert_eq!(at(0), "f:1:1");
        assert_eq!(at(1), "f:1:2");
        assert_eq!(at(2), "f:2:1");
        assert_eq!(at(2 + "žluť: ".len()), "f:2:7");
        assert_eq!(at(usize::MAX), "f:3:1");
    }

    #[test]
    fn a_range_inside_a_character_is_widened() {
        let location = Location::in_text("f", "ž".into(), 1..1);
        assert_eq!(location.span.expect("has a place").range, 0..2);
    }
}
