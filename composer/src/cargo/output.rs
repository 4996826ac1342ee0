//! What cargo writes: messages for us, one JSON object per line, between text for people.
//!
//! Both come through one pipe, because an error of a compiler and the line in which cargo draws the conclusion would lose
//! their order in two.

use cargo_metadata::Message;
use memchr::{memchr, memmem};

/// How every message begins; cargo writes the key first.
const MARKER: &[u8] = b"{\"reason\":\"";

/// A part of the output, in the order it was written.
#[derive(Debug)]
pub(super) enum Piece {
    /// For people, with styles and progress bars as cargo writes them.
    Text(Vec<u8>),
    /// For us.
    Message(Box<Message>),
}

/// Takes the output apart as it comes.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    pending: Vec<u8>,
}

impl Splitter {
    /// The pieces that are complete with these bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.pending.extend_from_slice(bytes);
        let mut pieces = Vec::new();
        while let Some(start) = memmem::find(&self.pending, MARKER) {
            self.take_text(start, &mut pieces);
            let Some(end) = memchr(b'\n', &self.pending) else {
                return pieces;
            };
            let line: Vec<_> = self.pending.drain(..=end).collect();
            pieces.extend(read(line));
        }
        // What may be the beginning of a message waits for more; a progress bar does not.
        let held = (1..MARKER.len()).rev().find(|length| self.pending.ends_with(&MARKER[..*length]));
        self.take_text(self.pending.len() - held.unwrap_or(0), &mut pieces);
        pieces
    }

    /// What is left when nothing more comes.
    pub(super) fn finish(self) -> Vec<u8> {
        self.pending
    }

    fn take_text(&mut self, length: usize, pieces: &mut Vec<Piece>) {
        if length > 0 {
            pieces.push(Piece::Text(self.pending.drain(..length).collect()));
        }
    }
}

/// A line that begins like a message. Messages of a kind that we do not know are nobody's; what is no message at all is
/// text, such as that of a build script which failed.
fn read(line: Vec<u8>) -> Option<Piece> {
    match serde_json::from_slice(&line) {
        Ok(message) => Some(Piece::Message(Box::new(message))),
        Err(_) if serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok() => None,
        Err(_) => Some(Piece::Text(line)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OUTPUT: &str = "   Compiling a v1.0.0\n    Building [==> ] 1/2\r\u{1b}[K\
        {\"reason\":\"build-finished\",\"success\":false}\n{\"reason\":\"something-new\",\"x\":[1]}\n\
        {\"reason\":\" it said, \n{\"rea\nerror: {\n{\"reason\":\"";

    fn text_and_messages(chunks: &[&[u8]]) -> (String, usize) {
        let mut splitter = Splitter::default();
        let (mut text, mut messages) = (Vec::new(), 0);
        for chunk in chunks {
            for piece in splitter.feed(chunk) {
                match piece {
                    Piece::Text(bytes) => text.extend(bytes),
                    Piece::Message(_) => messages += 1,
                }
            }
        }
        text.extend(splitter.finish());
        (String::from_utf8(text).unwrap(), messages)
    }

    #[test]
    fn messages_are_taken_out_of_the_text() {
        let (text, messages) = text_and_messages(&[OUTPUT.as_bytes()]);
        assert_eq!(messages, 1);
        let expected = "   Compiling a v1.0.0\n    Building [==> ] 1/2\r\u{1b}[K{\"reason\":\" it said, \n{\"rea\nerror: {\n{\"reason\":\"";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_progress_bar_does_not_wait_for_the_end_of_its_line() {
        let pieces = Splitter::default().feed(b"    Building [==> ] 1/2\r");
        assert!(matches!(&pieces[..], [Piece::Text(text)] if text.ends_with(b"1/2\r")), "{pieces:?}");
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_output_is_cut(mut cuts in proptest::collection::vec(0..OUTPUT.len(), 0..6)) {
            cuts.extend([0, OUTPUT.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|cut| &OUTPUT.as_bytes()[cut[0]..cut[1]]).collect();
            prop_assert_eq!(text_and_messages(&chunks), text_and_messages(&[OUTPUT.as_bytes()]));
        }
    }
}
