//! Texts that come from outside (a job, a build, a plugin), cut to a number of bytes.
//!
//! What a job writes has no bound of its own, and may be one line. So a text is cut where it enters, by bytes and between
//! characters, and says how much is left out. Secrets are taken out before a text is cut: of a secret that is cut in two,
//! neither part is found.

use std::fmt;

/// How much of a text is kept, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextLimit(usize);

/// A text that is no longer than its limit. Of a longer one the beginning and the end are kept, or the end alone, and
/// `[… 1234 bytes left out …]` stands for the rest. What was left out of that before is counted too.
///
/// ```
/// use racetrack_core::text::{BoundedText, TextLimit};
///
/// let text = BoundedText::new("x".repeat(1000), TextLimit::bytes(40));
/// assert_eq!(text.as_str(), "xxxxx[… 989 bytes left out …]xxxxxx");
/// assert_eq!(BoundedText::new("short", TextLimit::bytes(40)).as_str(), "short");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoundedText(String);

/// What stands for bytes that are left out.
#[derive(Clone, Copy, Debug)]
pub struct LeftOut(pub u64);

impl TextLimit {
    /// A phase, or the name of something.
    pub const PHASE: Self = Self(1024);
    /// What a job says of itself in one answer.
    pub const ANSWER: Self = Self(4 * 1024);
    /// What is noted of a job or in the audit trail, a warning: shown in listings, of many at a time.
    pub const NOTE: Self = Self(8 * 1024);
    /// The end of the output of a job or of a program, where it explains a failure.
    pub const OUTPUT: Self = Self(16 * 1024);
    /// Why a plugin or a build failed. Longer than output, which is part of it.
    pub const FAILURE: Self = Self(24 * 1024);
    /// Why a deployment failed. Longer than any failure, which is part of it.
    pub const RECORD: Self = Self(32 * 1024);
    /// A text of which secrets have still to be taken out. Of what is cut off here nothing is near an end that stays later.
    pub const UNREDACTED: Self = Self(1024 * 1024);
    /// One line of a log that is handed on: as JSON, where a character may take six bytes, it fits into a message of 1 MB.
    pub const LINE: Self = Self(160 * 1024);
    /// A log that is answered as a whole.
    pub const LOG: Self = Self(4 * 1024 * 1024);

    /// A limit of so many bytes. What stands for the rest needs some 30 to 50 of them.
    pub const fn bytes(bytes: usize) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn get(self) -> usize {
        self.0
    }
}

impl BoundedText {
    /// The text; of a longer one its beginning and its end.
    pub fn new(text: impl Into<String>, limit: TextLimit) -> Self {
        Self::cut(text.into(), limit, |room| room / 2)
    }

    /// The text; of a longer one its end.
    pub fn end_of(text: impl Into<String>, limit: TextLimit) -> Self {
        Self::cut(text.into(), limit, |_| 0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Of the room that there is, `head` says how much is for the beginning.
    fn cut(text: String, limit: TextLimit, head: impl FnOnce(usize) -> usize) -> Self {
        if text.len() <= limit.0 {
            return Self(text);
        }
        let longest_mark = LeftOut::of(&text).to_string().len();
        let room = limit.0.saturating_sub(longest_mark);
        let head = head(room);
        let begin = text.floor_char_boundary(head);
        let end = text.ceil_char_boundary(text.len() - (room - head));
        Self(format!("{}{}{}", &text[..begin], LeftOut::of(&text[begin..end]), &text[end..]))
    }
}

/// How many of the bytes are whole characters: all but the beginning of a character at the end, whose rest is to come.
/// Bytes that are not UTF-8 count as characters.
///
/// ```
/// use racetrack_core::text::whole_characters;
///
/// assert_eq!(whole_characters("aé".as_bytes()), 3);
/// assert_eq!(whole_characters(&"aé".as_bytes()[..2]), 1);
/// assert_eq!(whole_characters(b"a\xff"), 2);
/// ```
pub fn whole_characters(bytes: &[u8]) -> usize {
    for (place, byte) in bytes.iter().enumerate().rev().take(3) {
        let length = match byte {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => 1,
        };
        return if place + length > bytes.len() { place } else { bytes.len() };
    }
    bytes.len()
}

/// How many bytes at the beginning are the rest of a character that began before them.
pub fn rest_of_character(bytes: &[u8]) -> usize {
    bytes.iter().take(3).take_while(|byte| matches!(byte, 0x80..=0xbf)).count()
}

impl LeftOut {
    /// What stands for a part that is left out, of which a part may have been left out before.
    fn of(part: &str) -> Self {
        let mut bytes = part.len() as u64;
        for mark in part.split("[… ").skip(1) {
            let Some((count, _)) = mark.split_once(" left out …]") else { continue };
            let count = count.strip_suffix(" bytes").or_else(|| count.strip_suffix(" byte"));
            if let Some(before) = count.and_then(|count| count.parse().ok()).map(Self) {
                bytes = bytes.saturating_add(before.0).saturating_sub(before.to_string().len() as u64);
            }
        }
        Self(bytes)
    }
}

impl fmt::Display for BoundedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<BoundedText> for String {
    fn from(text: BoundedText) -> Self {
        text.0
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = self;
        let plural = if *bytes == 1 { "" } else { "s" };
        write!(f, "[… {bytes} byte{plural} left out …]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with what stands for the rest undone: its length as it was.
    fn length_before(text: &str) -> usize {
        let (head, rest) = text.split_once("[… ").unwrap();
        let (count, tail) = rest.split_once(" left out …]").unwrap();
        let count = count.split(' ').next().unwrap();
        head.len() + count.parse::<usize>().unwrap() + tail.len()
    }

    #[test]
    fn every_cut_is_within_the_limit_between_characters_and_counts_exactly() {
        for length in [0, 1, 39, 40, 41, 100, 1000, 99_999] {
            for character in ["x", "é", "…", "🦀"] {
                for shift in ["", "a", "ab", "abc"] {
                    let text = format!("{shift}{}", character.repeat(length));
                    for limit in 40..60 {
                        let limit = TextLimit::bytes(limit);
                        let (both, end) =
                            (BoundedText::new(&*text, limit), BoundedText::end_of(&*text, limit));
                        for cut in [both.as_str(), end.as_str()] {
                            assert!(cut.len() <= limit.get() && !cut.contains('\u{fffd}'), "{cut}");
                            assert_eq!(cut == text, text.len() <= limit.get(), "{cut}");
                            assert!(cut == text || length_before(cut) == text.len(), "{cut}");
                        }
                        assert_eq!(BoundedText::new(both.as_str(), limit), both, "cut once is cut enough");
                    }
                }
            }
        }
    }

    #[test]
    fn a_log_keeps_its_end_and_everything_else_both_ends() {
        let text = format!("begin{}end", "-".repeat(1_000_000));
        let cut = BoundedText::new(&*text, TextLimit::ANSWER);
        assert!(cut.as_str().starts_with("begin-") && cut.as_str().ends_with("-end"));
        let cut = BoundedText::end_of(&*text, TextLimit::ANSWER);
        assert!(cut.as_str().starts_with("[… 995") && cut.as_str().ends_with("-end"));
        assert_eq!(BoundedText::new("xyz", TextLimit::bytes(1)).as_str(), "[… 3 bytes left out …]");
    }

    #[test]
    fn what_was_left_out_before_is_counted() {
        let text = "é".repeat(1_000_000);
        let first = BoundedText::new(&*text, TextLimit::OUTPUT);
        let around = format!("the job failed: {first}");
        for cut in
            [BoundedText::new(&*around, TextLimit::ANSWER), BoundedText::end_of(&*around, TextLimit::ANSWER)]
        {
            assert_eq!(length_before(cut.as_str()), text.len() + 16, "{cut}");
        }
        let end = BoundedText::end_of(BoundedText::end_of(&*text, TextLimit::OUTPUT), TextLimit::ANSWER);
        assert_eq!(length_before(end.as_str()), text.len());
        for odd in
            ["[… x bytes left out …]", "[… 18446744073709551615 bytes left out …]", "[… 5 bytes", "[… "]
        {
            BoundedText::new(odd.repeat(100), TextLimit::bytes(100));
        }
    }

    #[test]
    fn whole_characters_end_where_one_begins_that_is_not_complete() {
        let text = "aé…🦀".as_bytes();
        let whole: Vec<_> = (0..=text.len()).map(|end| whole_characters(&text[..end])).collect();
        assert_eq!(whole, [0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10]);
        let rests: Vec<_> = (0..=text.len()).map(|begin| rest_of_character(&text[begin..])).collect();
        assert_eq!(rests, [0, 0, 1, 0, 2, 1, 0, 3, 2, 1, 0]);
        // What is not UTF-8 must not be waited for.
        for bytes in [&b"\xff"[..], b"\x80\x80\x80\x80\x80", b"\xc3\xc3a", b"\xc1"] {
            assert_eq!(whole_characters(bytes), bytes.len(), "{bytes:?}");
        }
    }
}
