//! What may not stand in a text.

use std::fmt;

use super::events::Place;

/// What may not stand in a text, and where it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What it is.
    pub reason: Reason,
    /// Where it is.
    pub place: Place,
}

/// What may not stand in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Something is named, to be repeated.
    Anchor(String),
    /// Something is repeated.
    Alias(String),
    /// An alias is inside what it repeats.
    Endless(String),
    /// An abbreviation of tags.
    TagDirective,
    /// A key that stands for the entries of another mapping.
    MergeKey,
    /// A key that the mapping has already.
    DuplicateKey(String),
    /// There is more than one document.
    SecondDocument,
    /// Too much is inside one another.
    Depth {
        /// How much may be.
        limit: usize,
    },
    /// There are too many values.
    Nodes {
        /// How many there may be.
        limit: usize,
    },
    /// The values are too long, taken together.
    Expansion {
        /// How long they may be, in bytes.
        limit: usize,
    },
}

impl Reason {
    /// What to do about it.
    pub const fn help(&self) -> &'static str {
        match self {
            Self::Anchor(_) | Self::Alias(_) => {
                "write the value out wherever it is needed; a text that begins with `&` or `*` stands in quotes"
            }
            Self::Endless(_) => "write the value out",
            Self::TagDirective => "remove the line that begins with `%TAG`, and write tags in full",
            Self::MergeKey => "write out the entries it stands for; a key of that name stands in quotes",
            Self::DuplicateKey(_) => "keep one of the two",
            Self::SecondDocument => "keep one document: remove the line `---` and what belongs to the other",
            Self::Depth { .. } => "use fewer levels",
            Self::Nodes { .. } => "keep fewer values; an alias counts for all that it repeats",
            Self::Expansion { .. } => "keep shorter values; an alias counts for all that it repeats",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reason, place: Place { line, column, .. } } = self;
        write!(f, "{reason} at line {line} column {column}; {}", reason.help())
    }
}

/// Without the place.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anchor(name) => write!(f, "the anchor `&{name}` is not allowed"),
            Self::Alias(name) => write!(f, "the alias `*{name}` is not allowed"),
            Self::Endless(name) => write!(f, "the alias `*{name}` is inside the value that it repeats"),
            Self::TagDirective => f.write_str("a `%TAG` directive is not supported"),
            Self::MergeKey => f.write_str("the merge key `<<` is not supported"),
            Self::DuplicateKey(key) => write!(f, "duplicate key `{key}`"),
            Self::SecondDocument => f.write_str("there is more than one document: another one starts"),
            Self::Depth { limit } => {
                write!(f, "more than {limit} sequences and mappings are inside one another")
            }
            Self::Nodes { limit } => write!(f, "there are more than {limit} values"),
            Self::Expansion { limit } => write!(f, "the values have more than {limit} bytes together"),
        }
    }
}

impl std::error::Error for Refusal {}
