//! Lines of output that come in pieces of any size, without secrets and with a limit.

use super::Redaction;

/// Takes output as it comes, and gives it line by line without secrets. Longer lines come in several pieces.
///
/// Wherever the output is cut, by those who wrote it or by the limit, no part of a secret remains: as many bytes are
/// held back as a secret may still need. Characters are not cut either.
#[derive(Debug)]
pub struct RedactedLines<'a> {
    redaction: &'a Redaction,
    max_bytes: usize,
    /// What has come of the line and has not been given yet.
    held: Vec<u8>,
    /// How many of the held bytes belong to a secret that began in a former piece.
    covered: usize,
    /// Whether the former piece of the line ended in a secret.
    ends_in_secret: bool,
    is_first: bool,
}

/// A line, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinePiece<'a> {
    /// The text without secrets and without the line break. Bytes that are not UTF-8 have become `U+FFFD`.
    pub text: &'a str,
    /// Whether a line begins here.
    pub is_first: bool,
    /// Whether the line ends here.
    pub is_last: bool,
}

impl Redaction {
    /// Takes the secrets out of lines that come in pieces, and limits the lines to about `max_bytes` each.
    pub fn lines(&self, max_bytes: usize) -> RedactedLines<'_> {
        RedactedLines::new(self, max_bytes)
    }
}

impl<'a> RedactedLines<'a> {
    const fn new(redaction: &'a Redaction, max_bytes: usize) -> Self {
        let max_bytes = if max_bytes < 4 { 4 } else { max_bytes };
        Self { redaction, max_bytes, held: Vec::new(), covered: 0, ends_in_secret: false, is_first: true }
    }

    /// Takes further output.
    pub fn push(&mut self, output: &[u8], give: &mut (impl FnMut(LinePiece<'_>) + ?Sized)) {
        for part in output.split_inclusive(|byte| *byte == b'\n') {
            let (part, ends) = part.strip_suffix(b"\n").map_or((part, false), |part| (part, true));
            self.held.extend_from_slice(part);
            let needed = if ends { 0 } else { self.redaction.reach };
            while self.held.len() > self.max_bytes + needed {
                self.give(self.max_bytes, false, give);
            }
            if ends {
                self.give(self.held.len(), true, give);
            }
        }
    }

    /// The output has ended: gives what is left of a line without an end.
    pub fn finish(mut self, give: &mut (impl FnMut(LinePiece<'_>) + ?Sized)) {
        while self.held.len() > self.max_bytes {
            self.give(self.max_bytes, false, give);
        }
        if !self.held.is_empty() {
            self.give(self.held.len(), true, give);
        }
    }

    /// Gives that many of the held bytes, at most three fewer. Every secret that begins among them is held as a whole.
    fn give(&mut self, end: usize, is_last: bool, give: &mut (impl FnMut(LinePiece<'_>) + ?Sized)) {
        let is_border = |index: &usize| self.held.get(*index).is_none_or(|byte| byte & 0xC0 != 0x80);
        let end = (end.saturating_sub(3).max(1)..=end).rev().find(is_border).unwrap_or(end);
        let mut piece = Vec::with_capacity(end);
        let (mut rest, mut covered) = (0, 0);
        let begun = (self.covered > 0).then_some(0..self.covered);
        for range in begun.into_iter().chain(self.redaction.covered(&self.held)) {
            if range.start >= end {
                break;
            }
            covered = covered.max(range.end);
            if range.end <= rest {
                continue;
            }
            // A secret goes on where the last one ended, or the last piece: one mark is enough for both.
            let goes_on = range.start < rest
                || (range.start == rest && rest > 0)
                || (range.start == 0 && self.ends_in_secret);
            if !goes_on {
                piece.extend_from_slice(&self.held[rest..range.start]);
                piece.extend_from_slice(self.redaction.mark.as_bytes());
            }
            rest = range.end;
        }
        piece.extend_from_slice(self.held.get(rest..end).unwrap_or_default());
        let text = String::from_utf8_lossy(&piece);
        let text = if is_last { text.trim_end() } else { &text };
        give(LinePiece { text, is_first: self.is_first, is_last });
        self.held.drain(..end);
        self.covered = if is_last { 0 } else { covered.saturating_sub(end) };
        self.ends_in_secret = !is_last && covered >= end;
        self.is_first = is_last;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of what comes in these parts.
    fn pieces<'a>(
        redaction: &Redaction,
        max_bytes: usize,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Vec<(String, bool, bool)> {
        let mut pieces = Vec::new();
        let mut give =
            |piece: LinePiece<'_>| pieces.push((piece.text.to_owned(), piece.is_first, piece.is_last));
        let mut lines = redaction.lines(max_bytes);
        parts.into_iter().for_each(|part| lines.push(part, &mut give));
        lines.finish(&mut give);
        pieces
    }

    fn texts(redaction: &Redaction, max_bytes: usize, chunk: usize, output: &str) -> Vec<String> {
        pieces(redaction, max_bytes, output.as_bytes().chunks(chunk))
            .into_iter()
            .map(|piece| piece.0)
            .collect()
    }

    #[test]
    fn lines_come_as_they_are() {
        let none = Redaction::new("***", []);
        let text = |output: &str| texts(&none, 100, 3, output);
        assert_eq!(text("one\r\n\ntwo  \nthree"), ["one", "", "two", "three"]);
        assert!(text("").is_empty());
        assert_eq!(text("\n"), [""]);
        let invalid = pieces(&none, 100, [&b"a\xffb\xf0\x9f"[..], b"\x98\x80"]);
        assert_eq!(invalid, [("a\u{fffd}b😀".to_owned(), true, true)]);
    }

    #[test]
    fn long_lines_come_in_pieces_of_whole_characters() {
        let none = Redaction::new("***", []);
        assert_eq!(
            pieces(&none, 5, [&b"abcdefgh\nx"[..]]),
            [
                ("abcde".to_owned(), true, false),
                ("fgh".to_owned(), false, true),
                ("x".to_owned(), true, true)
            ]
        );
        for chunk in 1..9 {
            assert_eq!(texts(&none, 5, chunk, "aäöü€€"), ["aäö", "ü€", "€"], "{chunk}");
        }
    }

    /// Every secret, in every place of a line, with every limit, arriving in chunks of every size.
    #[test]
    fn no_part_of_a_secret_is_left_wherever_anything_is_cut() {
        let secrets = ["tok-AAAABBBBCCCC", "BCCCC%DDD", "€ü@ß-EEEE", "FFFF"];
        let redaction = Redaction::new("*", secrets);
        let occurrences =
            ["tok-AAAABBBBCCCC", "tok-AAAABBBBCCCC%DDD", "%e2%82%ac%C3%BC%40ß-EEEE", "€ü@ß-EEEE", "FFFFF"];
        // Nothing of this may appear, and none of it is part of the text around the secrets.
        let fragments =
            ["to", "k-", "AA", "AB", "BB", "BC", "CC", "%", "DD", "€", "ü", "ß", "EE", "-E", "FF"];
        for occurrence in occurrences {
            for before in 0..24 {
                let output = format!("{}{occurrence}{occurrence} xyz\n{occurrence}", "y".repeat(before));
                for max_bytes in 4..30 {
                    for chunk in [1, 2, 3, 7, 16, 1000] {
                        let texts = texts(&redaction, max_bytes, chunk, &output);
                        let text = texts.concat();
                        let left = fragments.iter().find(|fragment| text.contains(*fragment));
                        assert_eq!(
                            left, None,
                            "{texts:?} of {output:?}, {max_bytes} bytes in a line, {chunk} at a time"
                        );
                        assert_eq!(
                            text,
                            format!("{}* xyz*", "y".repeat(before)),
                            "{texts:?}, {output:?}, {max_bytes}, {chunk}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_held_back_is_bounded() {
        let redaction = Redaction::new("*", ["aaaa"]);
        let mut lines = redaction.lines(64);
        let mut given = String::new();
        for _ in 0..1000 {
            lines.push(&[b'a'; 100], &mut |piece| given.push_str(piece.text));
            assert!(lines.held.len() < 200, "{} bytes", lines.held.len());
        }
        lines.finish(&mut |piece| given.push_str(piece.text));
        assert_eq!(given, "*");
    }
}
