//! Divides JSON, as it comes, into the text `build_context` of its object and everything else.
//!
//! It judges nothing: what is no JSON stays so in the rest, for a reader to refuse.

/// How large everything but the source of the job may be, in bytes.
pub(super) const MAX_REST: usize = 1 << 20;

/// How many values may be in it. Each takes many times the memory of its text.
const MAX_VALUES: usize = 50_000;

/// The part that may be large.
const SOURCE: &[u8] = b"build_context";

/// Why a request is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestError {
    /// There is too much beside the source.
    #[error(
        "it has more than {MAX_REST} bytes beside `build_context`; put files into the source of the job instead of into \
         the manifest and variables"
    )]
    TooLarge,
    /// There are too many values.
    #[error(
        "it has more than {MAX_VALUES} values; put data into the source of the job instead of into the manifest"
    )]
    TooMany,
    /// It is a list, which would be read as the parts in their order.
    #[error("invalid type: sequence, expected an object")]
    List,
}

#[derive(Debug, Default)]
pub(super) struct Splitter {
    rest: Vec<u8>,
    values: usize,
    depth: usize,
    state: State,
    /// What the next text at the first level is.
    next: NextText,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before anything but white space.
    #[default]
    Start,
    Outside,
    /// In a text, which is kept.
    Text {
        is_escaped: bool,
        key_from: Option<usize>,
    },
    /// In the source, where an escape sequence may be under way.
    Source,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum NextText {
    #[default]
    Other,
    Key,
    Source,
}

impl Splitter {
    /// Takes more of the JSON, and adds what is in the source to `source`, as it stands between its quotation marks.
    pub(super) fn push(&mut self, bytes: &[u8], source: &mut Vec<u8>) -> Result<bool, RestError> {
        let mut has_source = self.state == State::Source;
        let mut bytes = bytes;
        while let Some((&byte, others)) = bytes.split_first() {
            if self.state == State::Source {
                let length = bytes.iter().position(|byte| *byte == b'"').unwrap_or(bytes.len());
                source.extend_from_slice(&bytes[..length]);
                bytes = &bytes[length..];
                if !bytes.is_empty() {
                    self.state = State::Outside;
                    self.keep(b'"')?;
                    bytes = &bytes[1..];
                }
                continue;
            }
            self.keep(byte)?;
            self.step(byte)?;
            has_source |= self.state == State::Source;
            bytes = others;
        }
        Ok(has_source)
    }

    pub(super) const fn rest_size(&self) -> usize {
        self.rest.len()
    }

    /// Everything but the source. Where that was, there is an empty text.
    pub(super) fn into_rest(self) -> Vec<u8> {
        self.rest
    }

    fn keep(&mut self, byte: u8) -> Result<(), RestError> {
        if self.rest.len() >= MAX_REST {
            return Err(RestError::TooLarge);
        }
        self.rest.push(byte);
        Ok(())
    }

    fn step(&mut self, byte: u8) -> Result<(), RestError> {
        match self.state {
            State::Start if byte.is_ascii_whitespace() => {}
            State::Start if byte == b'[' => return Err(RestError::List),
            State::Start | State::Outside => {
                self.state = State::Outside;
                self.step_outside(byte)?;
            }
            State::Text { is_escaped: true, key_from } => {
                self.state = State::Text { is_escaped: false, key_from }
            }
            State::Text { key_from, .. } if byte == b'\\' => {
                self.state = State::Text { is_escaped: true, key_from };
            }
            State::Text { key_from, .. } if byte == b'"' => {
                self.state = State::Outside;
                if let Some(from) = key_from {
                    self.next =
                        if is_source(&self.rest[from..]) { NextText::Source } else { NextText::Other };
                }
            }
            State::Text { .. } | State::Source => {}
        }
        Ok(())
    }

    fn step_outside(&mut self, byte: u8) -> Result<(), RestError> {
        match byte {
            b'"' => {
                self.state = match self.next {
                    NextText::Source if self.depth == 1 => State::Source,
                    NextText::Key if self.depth == 1 => {
                        State::Text { is_escaped: false, key_from: Some(self.rest.len() - 1) }
                    }
                    _ => State::Text { is_escaped: false, key_from: None },
                }
            }
            b'{' | b'[' => {
                self.depth += 1;
                if self.depth == 1 && byte == b'{' {
                    self.next = NextText::Key;
                }
                self.count()?;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b',' => {
                if self.depth == 1 {
                    self.next = NextText::Key;
                }
                self.count()?;
            }
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), RestError> {
        self.values += 1;
        if self.values > MAX_VALUES { Err(RestError::TooMany) } else { Ok(()) }
    }
}

/// Whether a key, with its quotation marks, is that of the source, however it is spelled.
fn is_source(key: &[u8]) -> bool {
    let spelled = || serde_json::from_slice::<String>(key).is_ok_and(|key| key.as_bytes() == SOURCE);
    key.get(1..key.len() - 1) == Some(SOURCE) || (key.contains(&b'\\') && spelled())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(json: &str, piece: usize) -> Result<(String, Option<String>), RestError> {
        let (mut splitter, mut source, mut has_source) = (Splitter::default(), Vec::new(), false);
        for piece in json.as_bytes().chunks(piece) {
            has_source |= splitter.push(piece, &mut source)?;
        }
        let text = |bytes| String::from_utf8(bytes).expect("is text");
        Ok((text(splitter.into_rest()), has_source.then(|| text(source))))
    }

    #[track_caller]
    fn splits(json: &str, rest: &str, source: Option<&str>) {
        for piece in [1, 2, 7, json.len().max(1)] {
            let found = split(json, piece).expect("is small");
            assert_eq!((found.0.as_str(), found.1.as_deref()), (rest, source), "{json} by {piece}");
        }
    }

    #[test]
    fn the_source_is_told_from_the_rest() {
        splits(r#"{"build_context": "abc="}"#, r#"{"build_context": ""}"#, Some("abc="));
        splits(
            r#"{"a": 1 , "build_context" :"abc", "b": "x"}"#,
            r#"{"a": 1 , "build_context" :"", "b": "x"}"#,
            Some("abc"),
        );
        splits(r#" {"build_context": ""}"#, r#" {"build_context": ""}"#, Some(""));
        splits(r#"{"build\u005fcontext": "abc"}"#, r#"{"build\u005fcontext": ""}"#, Some("abc"));
        for without in [
            "",
            "{}",
            "1",
            r#""build_context""#,
            r#"{"build_context": null, "x": "y"}"#,
            r#"{"build_context": {"x": "y"}}"#,
            r#"{"build_context": ["x", "y"]}"#,
            r#"{"x": {"build_context": "y"}}"#,
            r#"{"x": "build_context", "y": "z"}"#,
            r#"{"x\"build_context": "y"}"#,
            r#"{"x": "\\", "y": ",\"build_context\": \"z\""}"#,
            r#"{"x": "build_context": "y"}"#,
            r#"{"Build_context": "x"}"#,
        ] {
            splits(without, without, None);
        }
        splits(
            r#"{"build_context": "a", "build_context": "b"}"#,
            r#"{"build_context": "", "build_context": ""}"#,
            Some("ab"),
        );
        splits(r#"{"build_context": "abc"#, r#"{"build_context": ""#, Some("abc"));
    }

    #[test]
    fn the_rest_is_limited_and_the_source_is_not() {
        let large = "x".repeat(2 * MAX_REST);
        let refused = |json: &str| split(json, 4096).expect_err("is too large").to_string();
        split(&format!(r#"{{"build_context": "{large}"}}"#), 4096).expect("is a source");
        assert!(refused(&format!(r#"{{"manifest": "{large}"}}"#)).contains("bytes beside `build_context`"));
        assert!(refused(&format!("{}{{}}", " ".repeat(2 * MAX_REST))).contains("bytes beside"));
        assert!(refused(&format!(r#"{{"m": {{"build_context": "{large}"}}}}"#)).contains("bytes beside"));
        assert!(
            refused(&format!(r#"{{"m": [{}0]}}"#, "0,".repeat(MAX_VALUES)))
                .contains("more than 50000 values")
        );
        assert!(refused(&format!(r#"{{"m": {}"#, "[".repeat(MAX_VALUES))).contains("more than 50000 values"));
        assert!(
            refused(&format!(r#"{{"build_context": "a", "m": [{}0]}}"#, "0,".repeat(MAX_VALUES)))
                .contains("values")
        );
        assert!(refused(" [{}]").contains("invalid type: sequence"));
        split(&format!(r#"{{"m": "{}"}}"#, ",".repeat(2 * MAX_VALUES)), 4096).expect("is one value");
    }
}
