//! Text as a URL spells it, read back: `%40` is `@`, and `+` may be a space.

use std::ops::Range;

/// The most bytes that spell one.
pub(super) const LONGEST: usize = 3;

/// What bytes spell, and where each of the results stands in them.
pub(super) struct Spelling {
    bytes: Vec<u8>,
    /// Where each byte begins, and the end of the last.
    places: Vec<usize>,
}

impl Spelling {
    /// Reads the text; `None` when nothing in it is spelled.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
            return None;
        }
        let mut spelling = Self { bytes: Vec::with_capacity(text.len()), places: Vec::new() };
        let mut place = 0;
        while place < text.len() {
            let (byte, length) = first(&text[place..]);
            spelling.bytes.push(byte);
            spelling.places.push(place);
            place += length;
        }
        spelling.places.push(place);
        Some(spelling)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where a range of [`Self::bytes`] stands in the text.
    pub(super) fn place(&self, range: Range<usize>) -> Range<usize> {
        self.places[range.start]..self.places[range.end]
    }
}

/// What to look for in spelled text to find `form`: as it is, and as it is read if it is not spelled any further.
pub(super) fn needles(form: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let plain = form.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    [Some(plain), Spelling::read(form).map(|spelling| spelling.bytes)].into_iter().flatten()
}

/// The byte that stands at the beginning, and how many bytes spell it.
fn first(text: &[u8]) -> (u8, usize) {
    let digit = |index: usize| text.get(index).and_then(|byte| char::from(*byte).to_digit(16));
    match (text[0], digit(1), digit(2)) {
        (b'%', Some(high), Some(low)) => {
            let byte = u8::try_from(high * 16 + low).expect("two digits make a byte");
            (if byte == b'+' { b' ' } else { byte }, LONGEST)
        }
        (b'+', ..) => (b' ', 1),
        (byte, ..) => (byte, 1),
    }
}
