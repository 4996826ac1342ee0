//! A moment in the life of image-builder, told by a count: clocks are set back.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

/// How many images had been made or used again, in which run of image-builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Mark {
    pub(crate) run: Run,
    pub(crate) count: u64,
}

/// One run of image-builder, told from others by a random number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run(u64);

/// A text that is not a [`Mark`].
#[derive(Debug, thiserror::Error)]
#[error("mark: it is not one that image-builder has given")]
pub(crate) struct InvalidMark;

impl Run {
    /// A run that begins.
    pub(crate) fn new() -> Self {
        Self(RandomState::new().hash_one(std::process::id()))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.run.0, self.count)
    }
}

impl FromStr for Mark {
    type Err = InvalidMark;

    fn from_str(text: &str) -> Result<Self, InvalidMark> {
        let number = |text| u64::from_str_radix(text, 16).map_err(|_| InvalidMark);
        let (run, count) = text.split_once('-').ok_or(InvalidMark)?;
        Ok(Self { run: Run(number(run)?), count: number(count)? })
    }
}

impl TryFrom<String> for Mark {
    type Error = InvalidMark;

    fn try_from(text: String) -> Result<Self, InvalidMark> {
        text.parse()
    }
}

impl Serialize for Mark {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let mark = Mark { run: Run::new(), count: 300 };
        assert_eq!(mark.to_string().parse::<Mark>().unwrap(), mark);
        assert!(["", "-", "1", "1-x"].iter().all(|text| text.parse::<Mark>().is_err()));
        assert_ne!(Run::new(), Run::new());
    }
}
