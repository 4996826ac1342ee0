//! Takes secrets out of texts that people see.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// What stands where a secret was.
const REDACTED: &str = "[redacted]";

/// Shorter texts than this, in bytes, are no secrets: taking every `a` out of a log would help nobody.
const MIN_LENGTH: usize = 3;

/// The secrets of one build. Every form of them in which they are known to appear is taken out: as they are, line by
/// line, quoted for URLs, and in base64.
pub(crate) struct Redaction {
    /// Longer ones first, so that a secret that holds another one is taken out as a whole.
    secrets: Vec<String>,
}

impl Redaction {
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut forms: Vec<_> = secrets.into_iter().flat_map(forms).collect();
        forms.retain(|form| form.len() >= MIN_LENGTH);
        forms.sort_unstable_by(|left, right| right.len().cmp(&left.len()).then_with(|| left.cmp(right)));
        forms.dedup();
        Self { secrets: forms }
    }

    /// The text without secrets.
    pub(crate) fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in &self.secrets {
            if text.contains(secret) {
                text = Cow::Owned(text.replace(secret, REDACTED));
            }
        }
        text
    }
}

fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), quoted(secret), BASE64_STANDARD.encode(secret)];
    forms.extend(secret.lines().map(|line| line.trim().to_owned()));
    forms
}

/// The text as it stands in a URL.
fn quoted(text: &str) -> String {
    let quote = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(quote).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_secret_is_taken_out() {
        let redaction =
            Redaction::new(["p@ss word", "p@ss", "-----BEGIN KEY-----\nabcdef\n-----END KEY-----"]);
        for text in ["p@ss word", "https://bob:p%40ss%20word@x", "x cEBzcyB3b3Jk y", "p@ss!", "key: abcdef."]
        {
            let redacted = redaction.apply(text);
            assert!(redacted.contains(REDACTED), "{redacted}");
            assert!(!redacted.contains("word") && !redacted.contains("abcdef"), "{redacted}");
        }
    }

    #[test]
    fn the_rest_stays() {
        let redaction = Redaction::new(["", "a", "hunter2"]);
        assert!(matches!(redaction.apply("a banana"), Cow::Borrowed("a banana")));
    }
}
