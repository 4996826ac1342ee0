//! Secrets are taken out of texts that people see: out of whole texts, and out of output that comes in pieces.
//!
//! What is cut holds only parts of a secret, which nobody recognises any more. So the secrets go first: whoever limits
//! lines does so by [`RedactedLines`].
//!
//! ```
//! use racetrack_core::redaction::Redaction;
//!
//! let redaction = Redaction::new("***", ["hunter2"]);
//! assert_eq!(redaction.apply("https://bob:hunter2@example.com"), "https://bob:***@example.com");
//! ```

mod forms;
mod lines;
mod spelling;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

pub use self::lines::{LinePiece, RedactedLines};
use self::spelling::Spelling;

/// Texts that are taken out of others, in every form in which they are known to appear: as they are, line by line, as
/// URLs spell them, escaped as in JSON, and in base64.
///
/// Of more than 16 KiB of secrets only the plain forms and whole base64 are taken out. Texts of fewer than three bytes are not taken out: a log without every `a` helps nobody.
#[derive(Clone)]
pub struct Redaction {
    mark: &'static str,
    /// The forms, as they are.
    plain: AhoCorasick,
    /// The forms, as a [`Spelling`] reads them.
    spelled: AhoCorasick,
    /// The most bytes that one form covers in a text.
    reach: usize,
}

impl Redaction {
    /// Takes out these secrets, and puts `mark` where they were.
    ///
    /// # Panics
    /// When the secrets have more than two thousand million bytes.
    pub fn new<'a>(mark: &'static str, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let plain = forms::of_all(secrets);
        let spelled: Vec<_> = plain.iter().flat_map(|form| spelling::needles(form.as_bytes())).collect();
        let longest = plain.iter().map(String::len).max().unwrap_or_default();
        let reach = longest.max(spelling::LONGEST * spelled.iter().map(Vec::len).max().unwrap_or_default());
        Self { mark, plain: searcher(&plain), spelled: searcher(&spelled), reach }
    }

    /// The text without secrets. Where two of them overlap, both go.
    pub fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let covered = self.covered(text.as_bytes());
        if covered.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut rest = 0;
        let mut redacted = String::new();
        for Range { start, end } in covered {
            // Every form is valid UTF-8, and so the places where it begins and ends are borders of characters.
            redacted.push_str(&text[rest..start]);
            redacted.push_str(self.mark);
            rest = end;
        }
        redacted.push_str(&text[rest..]);
        Cow::Owned(redacted)
    }

    /// What secrets cover in these bytes: in order, without gaps or overlaps in between.
    fn covered(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut covered = Coverage::default();
        if self.reach == 0 {
            return covered.0;
        }
        for found in self.plain.find_overlapping_iter(text) {
            covered.add(found.range());
        }
        let Some(spelling) = Spelling::read(text) else { return covered.0 };
        let mut spelled = Coverage::default();
        for found in self.spelled.find_overlapping_iter(spelling.bytes()) {
            spelled.add(spelling.place(found.range()));
        }
        let mut all = covered.0;
        all.extend(spelled.0);
        all.sort_unstable_by_key(|range| range.end);
        let mut covered = Coverage::default();
        for range in all {
            covered.add(range);
        }
        covered.0
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redaction").field("mark", &self.mark).finish_non_exhaustive()
    }
}

/// Ranges in order, those that touch joined: one secret over and over again is one range.
#[derive(Default)]
struct Coverage(Vec<Range<usize>>);

impl Coverage {
    /// Adds a range that ends no earlier than those before it.
    fn add(&mut self, mut range: Range<usize>) {
        while let Some(last) = self.0.pop_if(|last| last.end >= range.start) {
            range.start = range.start.min(last.start);
        }
        self.0.push(range);
    }
}

fn searcher(needles: &[impl AsRef<[u8]>]) -> AhoCorasick {
    let mut builder = AhoCorasick::builder();
    // Linear in time whatever the text, and much smaller than the other kind of automaton.
    builder.match_kind(MatchKind::Standard).kind(Some(AhoCorasickKind::ContiguousNFA));
    builder.build(needles).expect("the secrets are far smaller than the largest automaton")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(secrets: &[&str], text: &str) -> String {
        Redaction::new("***", secrets.iter().copied()).apply(text).into_owned()
    }

    #[test]
    fn every_form_of_a_secret_is_taken_out() {
        let secrets =
            ["p@ss word/x+1", "a\"b\\c'd", "-----BEGIN KEY-----\r\n  abcdefgh\r\n-----END KEY-----\n"];
        for (text, expected) in [
            ("p@ss word/x+1", "***"),
            ("https://bob:p%40ss%20word%2Fx%2B1@host", "https://bob:***@host"),
            ("?token=p%40ss+word%2fx%2b1&x", "?token=***&x"),
            ("https://bob:p@ss%20word/x+1@host", "https://bob:***@host"),
            ("http://host/100%p@ss word/x+1", "http://host/100%***"),
            (r#"{"a\"b\\c'd"}"#, r#"{"***"}"#),
            (r#"'a"b\\c\'d'"#, "'***'"),
            ("key:   abcdefgh.", "key:   ***."),
            (r"-----BEGIN KEY-----\r\n  abcdefgh", r"***\r\n  ***"),
            ("x cEBzcyB3b3JkL3grMQ== y", "x *** y"),
        ] {
            assert_eq!(redacted(&secrets, text), expected, "{text}");
        }
        // As an `Authorization` header has it: the password begins in the middle of a group of base64.
        for user in ["bob:", "anna:", "tim-o:"] {
            let header = forms::base64(format!("{user}p@ss word/x+1").as_bytes());
            let left = redacted(&secrets, &header);
            assert!(left.contains("***") && left.len() < 16, "{header} → {left}");
        }
    }

    #[test]
    fn the_password_of_a_secret_address_is_a_secret_of_its_own() {
        let secret = ["https://bob:hunt%40er2@example.com/simple"];
        assert_eq!(redacted(&secret, "index https://bob:hunt%40er2@example.com/simple"), "index ***");
        assert_eq!(redacted(&secret, "bob@example.com: hunt@er2, hunt%40er2"), "bob@example.com: ***, ***");
        assert_eq!(
            redacted(&["https://t0ken@host"], "git+https://t0ken@elsewhere"),
            "git+https://***@elsewhere"
        );
        let token = "ghp_0123456789abcdefghij";
        for secret in [
            format!("https://{token}:x-oauth-basic@host/jobs"),
            format!("https://{token}:@host/jobs"),
            format!("https://{token}:hunter2@host/jobs"),
            format!("https://{token}@host/jobs"),
        ] {
            let text = format!("user {token}, https://{token}@elsewhere, {secret}.git");
            assert_eq!(redacted(&[&secret], &text), "user ***, https://***@elsewhere, ***.git", "{secret}");
        }
        let short = ["https://t0ken:x-oauth-basic@host"];
        assert_eq!(
            redacted(&short, "t0ken for https://t0ken:x-oauth-basic@other"),
            "*** for https://***@other"
        );
        assert_eq!(redacted(&["https://bob:hunter2@host"], "https://bob:hunter2@other"), "https://***@other");
        assert_eq!(redacted(&["https://example.com/a@b"], "a@b example.com"), "a@b example.com");
    }

    #[test]
    fn secrets_that_overlap_go_together() {
        assert_eq!(redacted(&["abc", "abcdef"], "abcdef abc"), "*** ***");
        assert_eq!(redacted(&["abcde", "defgh"], "<abcdefgh>"), "<***>");
        assert_eq!(redacted(&["aba"], "<ababababa>"), "<***>");
    }

    #[test]
    fn large_secrets_are_taken_out_as_well() {
        let lines: Vec<_> = (0..1000).map(|number| format!("{number:060}+")).collect();
        let secret = lines.join("\n");
        let redaction = Redaction::new("***", [secret.as_str()]);
        assert_eq!(redaction.apply(&format!("<{}> <{secret}>", lines[7])), "<***> <***>");
        assert_eq!(redaction.apply(&forms::base64(secret.as_bytes())), "***");
    }

    #[test]
    fn the_rest_stays() {
        let redaction = Redaction::new("***", ["", "a", "no", "\n", "hunter2"]);
        assert!(matches!(redaction.apply("a banana, no hunter1 100%"), Cow::Borrowed(_)));
        assert!(matches!(Redaction::new("***", []).apply("a"), Cow::Borrowed(_)));
    }
}
