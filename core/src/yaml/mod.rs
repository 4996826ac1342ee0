//! Reading YAML that people send or commit, within limits.
//!
//! A text of a few kilobytes can stand for gigabytes of values: an alias repeats what its anchor holds, and anchors hold
//! aliases. So a text is looked through first, event by event, and limits count what would come of it. Only then is it
//! read into values. Whatever reads YAML that others wrote reads it by [`read`].

mod check;
mod events;

use serde::de::DeserializeOwned;

pub use self::check::{Reason, Refusal, check};
pub use self::events::Place;

/// How large a text may be, and what may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct YamlLimits {
    /// How long the text may be, in bytes, and how long all of its scalars may be, where every alias counts for what it
    /// repeats.
    pub bytes: usize,
    /// How many scalars, sequences and mappings it may have, where every alias counts for what it repeats.
    pub nodes: usize,
    /// How many sequences and mappings may be inside one another.
    pub depth: usize,
    /// Whether it may have anchors and aliases.
    pub aliases: Aliases,
    /// Whether a mapping may have a key twice.
    pub duplicate_keys: DuplicateKeys,
}

/// Whether a text may have anchors and aliases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aliases {
    /// It has none.
    Refused,
    /// An alias counts for what it repeats.
    Counted,
}

/// Whether a mapping may have a key twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuplicateKeys {
    /// None has.
    Refused,
    /// It is for the reader to judge.
    Kept,
}

/// Why a text is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum YamlError {
    /// The text is longer than it may be.
    #[error("it is larger than {limit} bytes")]
    TooLarge {
        /// How long it may be, in bytes.
        limit: usize,
    },
    /// Something stands in it that may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It is not YAML, or has not the shape that is asked for; the error says where.
    #[error(transparent)]
    Content(#[from] serde_yaml::Error),
}

impl YamlLimits {
    /// Of manifests of jobs. They need no aliases.
    pub const JOB_MANIFEST: Self = Self {
        bytes: crate::model::job_manifest::MAX_SIZE,
        nodes: 20_000,
        depth: 64,
        aliases: Aliases::Refused,
        duplicate_keys: DuplicateKeys::Refused,
    };

    /// Of manifests that were stored when they could be larger and have aliases. Nobody can send another one.
    pub const STORED_JOB_MANIFEST: Self =
        Self { bytes: 256 * 1024, aliases: Aliases::Counted, ..Self::JOB_MANIFEST };

    /// Of configurations of components and plugins, whose authors may want to write something once.
    pub const CONFIGURATION: Self = Self {
        bytes: 1024 * 1024,
        nodes: 100_000,
        depth: 64,
        aliases: Aliases::Counted,
        duplicate_keys: DuplicateKeys::Refused,
    };
}

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
