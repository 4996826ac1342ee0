//! Changes of a text.

use std::ops::Range;

/// A key of a plugin and its value as TOML.
pub type Entry = (&'static str, String);

/// Changes of a text, none inside another.
#[derive(Default)]
pub(super) struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    pub(super) fn insert(&mut self, at: usize, text: String) {
        self.0.push((at..at, text));
    }

    pub(super) fn cut(&mut self, range: Range<usize>) {
        self.0.push((range, String::new()));
    }

    pub(super) fn apply(mut self, text: &str) -> String {
        let mut edited = text.to_owned();
        self.0.sort_by_key(|(range, _)| range.start);
        for (range, replacement) in self.0.into_iter().rev() {
            edited.replace_range(range, &replacement);
        }
        edited
    }
}
