//! Reading YAML that people send or commit, within limits.
//!
//! A text of a few kilobytes can stand for gigabytes of values: an alias repeats what its anchor holds, and anchors hold
//! aliases. So a text is looked through first, event by event, and limits count what would come of it. Only then is it
//! read into values. Whatever reads YAML that others wrote reads it by [`read`].

mod check;
mod error;
mod events;
mod limits;
mod refusal;

use serde::de::DeserializeOwned;

pub use self::check::check;
pub use self::error::YamlError;
pub use self::events::Place;
pub use self::limits::{Aliases, DuplicateKeys, YamlLimits};
pub use self::refusal::{Reason, Refusal};

/// Reads a value from a text; a byte order mark is skipped.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use racetrack_core::yaml::{YamlLimits, read};
///
/// let limits: BTreeMap<String, u32> = read("memory: 1\ncpu: 2\n", YamlLimits::JOB_MANIFEST)?;
/// assert_eq!(limits["cpu"], 2);
/// let refused = read::<BTreeMap<String, u32>>("memory: &a 1\ncpu: *a\n", YamlLimits::JOB_MANIFEST);
/// assert_eq!(
///     refused.expect_err("has an anchor").to_string(),
///     "the anchor `&a` is not allowed at line 1 column 9; write the value out wherever it is needed; a text that begins \
///      with `&` or `*` stands in quotes",
/// );
/// # Ok::<(), racetrack_core::yaml::YamlError>(())
/// ```
///
/// # Errors
/// [`YamlError`], with the place.
pub fn read<T: DeserializeOwned>(text: &str, limits: YamlLimits) -> Result<T, YamlError> {
    let text = text.trim_start_matches('\u{feff}');
    check(text, limits)?;
    Ok(serde_yaml::from_str(text)?)
}
