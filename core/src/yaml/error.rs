//! Why a text is not read.

use super::refusal::Refusal;

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
