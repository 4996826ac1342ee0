//! Takes the values of secret variables out of lines that people get to read.

use std::fmt::Write as _;

use racetrack_core::EnvVars;

/// What stands for a secret.
const STARS: &str = "***";

/// The texts to take out.
#[derive(Debug)]
pub(crate) struct Redaction {
    /// Longest first, so that no secret leaves its end behind when another one is its beginning.
    needles: Vec<String>,
}

impl Redaction {
    /// Takes out each line of each value, as it is and as a URL spells it.
    pub(crate) fn new(secrets: &EnvVars) -> Self {
        let lines = secrets.values().flat_map(|value| value.lines()).map(str::trim);
        let mut needles: Vec<_> =
            lines.filter(|line| !line.is_empty()).flat_map(|line| [line.to_owned(), in_url(line)]).collect();
        needles.sort_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
        needles.dedup();
        Self { needles }
    }

    /// The line without secrets.
    pub(crate) fn apply(&self, line: &str) -> String {
        self.needles.iter().fold(line.to_owned(), |line, needle| {
            if line.contains(needle.as_str()) { line.replace(needle.as_str(), STARS) } else { line }
        })
    }
}

fn in_url(text: &str) -> String {
    text.bytes().fold(String::new(), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").expect("a String takes any text");
        }
        url
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_in_every_spelling() {
        let secret = |value: &str| Redaction::new(&EnvVars::from([("TOKEN".to_owned(), value.to_owned())]));
        assert_eq!(secret("p@ss").apply("https://u:p%40ss@host or p@ss"), "https://u:***@host or ***");
        assert_eq!(secret("one\n two \n").apply("one, two, three"), "***, ***, three");
        assert_eq!(secret("").apply("nothing to hide"), "nothing to hide");
    }

    #[test]
    fn a_secret_that_begins_like_another_leaves_nothing_behind() {
        let secrets =
            EnvVars::from([("A".to_owned(), "abc".to_owned()), ("B".to_owned(), "abcdef".to_owned())]);
        assert_eq!(Redaction::new(&secrets).apply("abcdef abc"), "*** ***");
    }
}
