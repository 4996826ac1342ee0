//! Error chains.

use std::error::Error;

/// The texts of an error and of all its sources, in one line.
///
/// ```
/// #[derive(Debug, thiserror::Error)]
/// #[error("cannot read the answer")]
/// struct Unreadable(#[source] std::fmt::Error);
///
/// let line = racetrack_core::error::chain(&Unreadable(std::fmt::Error));
/// assert!(line.starts_with("cannot read the answer: "));
/// ```
pub fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        line.push_str(": ");
        line.push_str(&error.to_string());
        source = error.source();
    }
    line
}
