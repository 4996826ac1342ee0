//! Error chains.

use std::error::Error;

/// The longest chain that is followed; a longer one is a circle.
const MAX_LENGTH: usize = 32;

/// The texts of an error and of all its sources, in one line. After 32 errors it ends with `…`.
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
    for _ in 1..MAX_LENGTH {
        let Some(error) = source else { return line };
        line.push_str(": ");
        line.push_str(&error.to_string());
        source = error.source();
    }
    if source.is_some() {
        line.push_str(": …");
    }
    line
}
