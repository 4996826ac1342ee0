//! How large a request with the source of a job is beside that source.
//!
//! Such a request may be as large as sources are. All the rest of it becomes values that take many times the memory of
//! their text, so the rest is measured before anything is made of it.

use serde::Deserialize;
use serde_json::value::RawValue;

/// How large everything but the source of the job may be, in bytes.
const MAX_REST: usize = 1024 * 1024;

/// Why a body is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodySizeError {
    /// There is too much beside the source.
    #[error(
        "it has {rest} bytes beside `build_context`, and may have {MAX_REST}; put files into the source of the job \
         instead of into the manifest and variables"
    )]
    TooLarge {
        /// How much there is, in bytes.
        rest: usize,
    },
    /// It is a list.
    #[error("invalid type: sequence, expected an object")]
    List,
    /// It is no JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// The one part that may be large, as it stands in the text.
#[derive(Deserialize)]
struct Outline<'body> {
    #[serde(borrow, default)]
    build_context: Option<&'body RawValue>,
}

/// Measures a body with a `build_context`, in one pass that makes nothing of it.
///
/// # Errors
/// [`BodySizeError`]
pub fn check(body: &[u8]) -> Result<(), BodySizeError> {
    let rest = match body.trim_ascii_start().first() {
        Some(b'{') => {
            let Outline { build_context } = serde_json::from_slice(body)?;
            body.len() - build_context.map_or(0, |part| part.get().len())
        }
        // It would be read as the parts in their order.
        Some(b'[') => return Err(BodySizeError::List),
        // No single value grows; whoever reads it says what is wrong.
        _ => 0,
    };
    if rest > MAX_REST { Err(BodySizeError::TooLarge { rest }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(body: &str, text: &str) {
        let error = check(body.as_bytes()).expect_err(text).to_string();
        assert!(error.contains(text), "{error}");
    }

    #[test]
    fn the_source_is_not_counted() {
        let large = "x".repeat(2 * MAX_REST);
        check(format!(r#"{{"manifest": {{}}, "build_context": "{large}"}}"#).as_bytes())
            .expect("is a source");
        check(br#"{"build_context": null}"#).expect("is small");
        check(b"{}").expect("is small");
        check(large.as_bytes()).expect("is for the reader to refuse");
        refused(&format!(r#"{{"manifest": "{large}"}}"#), "has 2097168 bytes beside `build_context`");
        refused(
            &format!(r#"{{"manifest": {{"build_context": "{large}"}}}}"#),
            "bytes beside `build_context`",
        );
        refused(&format!("{}{{}}", " ".repeat(2 * MAX_REST)), "bytes beside");
    }

    #[test]
    fn nothing_gets_around_it() {
        let many = "0,".repeat(MAX_REST);
        refused(&format!(r#"{{"manifest": [{many}0], "manifest": 1}}"#), "bytes beside `build_context`");
        refused(&format!(r#"{{"manifest": [{many}0], "#), "EOF while parsing");
        refused(&format!(r#"{{"manifest": [{many}0]}}}}"#), "trailing characters");
        refused(&format!(r#"{{"build_context": 1, "build_context": [{many}0]}}"#), "duplicate field");
        refused(&format!(" [{{\"labels\": [{many}0]}}]"), "invalid type: sequence");
        refused(&format!(r#"{{"manifest": {}}}"#, "[".repeat(2 * MAX_REST)), "expected value");
    }
}
