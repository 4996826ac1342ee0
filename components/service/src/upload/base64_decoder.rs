//! Decodes base64 that comes in pieces, as it stands in a text of JSON.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// How many characters decode together.
const GROUP: usize = 4;

/// It is not base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotBase64;

#[derive(Debug, Default)]
pub(super) struct Base64Decoder {
    /// What has not been decoded yet: less than a group, or an escape sequence that goes on.
    pending: Vec<u8>,
    is_padded: bool,
}

impl Base64Decoder {
    /// Decodes `text`, and adds what comes of it to `decoded`.
    pub(super) fn push(&mut self, text: &[u8], decoded: &mut Vec<u8>) -> Result<(), NotBase64> {
        let mut joined;
        let text = if self.pending.is_empty() && !text.contains(&b'\\') {
            text
        } else {
            joined = std::mem::take(&mut self.pending);
            joined.extend_from_slice(text);
            let held = unescape(&mut joined)?;
            self.decode(&joined, decoded)?;
            self.pending.extend(held);
            return Ok(());
        };
        self.decode(text, decoded)
    }

    /// Whether it ends here.
    pub(super) fn finish(self) -> Result<(), NotBase64> {
        if self.pending.is_empty() { Ok(()) } else { Err(NotBase64) }
    }

    fn decode(&mut self, text: &[u8], decoded: &mut Vec<u8>) -> Result<(), NotBase64> {
        let (groups, pending) = text.split_at(text.len() - text.len() % GROUP);
        self.pending.extend_from_slice(pending);
        if text.is_empty() {
            return Ok(());
        }
        // Padding is at the end alone, and the end may have been in the piece before.
        if self.is_padded {
            return Err(NotBase64);
        }
        self.is_padded = groups.ends_with(b"=");
        BASE64_STANDARD.decode_vec(groups, decoded).map_err(|_| NotBase64)
    }
}

/// Writes escape sequences out; gives back the one at the end that goes on. Some writers of JSON escape every slash.
fn unescape(text: &mut Vec<u8>) -> Result<Vec<u8>, NotBase64> {
    let Some(first) = text.iter().position(|byte| *byte == b'\\') else { return Ok(Vec::new()) };
    let escaped = text.split_off(first);
    let mut left = &escaped[..];
    while let Some((&byte, others)) = left.split_first() {
        if byte != b'\\' {
            text.push(byte);
            left = others;
            continue;
        }
        let length = if others.first() == Some(&b'u') { 6 } else { 2 };
        let Some(sequence) = left.get(..length) else { return Ok(left.to_vec()) };
        let quoted = [b"\"", sequence, b"\""].concat();
        let character: String = serde_json::from_slice(&quoted).map_err(|_| NotBase64)?;
        text.extend_from_slice(character.as_bytes());
        left = &left[length..];
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str, piece: usize) -> Result<Vec<u8>, NotBase64> {
        let (mut decoder, mut bytes) = (Base64Decoder::default(), Vec::new());
        for piece in text.as_bytes().chunks(piece) {
            decoder.push(piece, &mut bytes)?;
        }
        decoder.finish().map(|()| bytes)
    }

    #[test]
    fn pieces_decode_as_the_whole_does() {
        for text in ["", "aGVsbG8=", "aGVsbG8h", "aGVsbG8hIQ==", r"\/\/\u002b\/", "////"] {
            let plain = text.replace("\\u002b", "+").replace('\\', "");
            let expected = BASE64_STANDARD.decode(plain).expect("is base64");
            for piece in 1..=8 {
                assert_eq!(decoded(text, piece).as_ref(), Ok(&expected), "{text} by {piece}");
            }
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "a",
            "aGVsbG8",
            "aGVs=bG8",
            "aGVsbG8=aGVs",
            "aGVsbG8==",
            "aGVs bG8=",
            "***",
            "aGVs\\n",
            "aGV\\",
            "\u{e9}x",
            "====",
        ] {
            for piece in 1..=8 {
                assert_eq!(decoded(text, piece), Err(NotBase64), "{text} by {piece}");
            }
        }
    }
}
