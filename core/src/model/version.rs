//! Versions as plugins, job types and jobs have them: `X.Y.Z` followed by any label.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A version `MAJOR.MINOR.PATCH[label]`. The label is whatever follows the third number; a version without one is
/// *stable*.
///
/// Versions compare by their numbers; among equal numbers a stable version ranks above a labelled one, and labels
/// compare as text. Versions that rank equal but are written differently (`1.0.0` and `01.0.0`) are told apart by
/// their text, so the order is total.
///
/// ```
/// use racetrack_core::Version;
///
/// let parse = |text: &str| text.parse::<Version>().unwrap();
/// assert!(parse("1.10.0") > parse("1.9.0"));
/// assert!(parse("1.0.0") > parse("1.0.0-rc1"));
/// assert_eq!(parse("1.0.0-rc1").label(), "-rc1");
/// assert!("1.0".parse::<Version>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    numbers: [u64; 3],
    text: String,
    label_start: usize,
}

/// A text that does not have the form `X.Y.Z[label]`, with numbers below 2⁶⁴.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no version of the form X.Y.Z[label]")]
pub struct InvalidVersion {
    /// The text found.
    pub text: String,
}

impl Version {
    /// What follows the third number, as written: `-rc1` in `1.0.0-rc1`, empty for a stable version.
    pub fn label(&self) -> &str {
        &self.text[self.label_start..]
    }

    /// Whether the version has no label.
    pub fn is_stable(&self) -> bool {
        self.label().is_empty()
    }

    /// The version as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidVersion { text: text.to_owned() };
        let mut numbers = [0; 3];
        let mut rest = text;
        for (index, number) in numbers.iter_mut().enumerate() {
            if index > 0 {
                rest = rest.strip_prefix('.').ok_or_else(invalid)?;
            }
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            *number = rest[..end].parse().map_err(|_| invalid())?;
            rest = &rest[end..];
        }
        if rest.chars().any(char::is_control) {
            return Err(invalid());
        }
        Ok(Self { numbers, text: text.to_owned(), label_start: text.len() - rest.len() })
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| self.is_stable().cmp(&other.is_stable()))
            .then_with(|| self.label().cmp(other.label()))
            .then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl TryFrom<String> for Version {
    type Error = InvalidVersion;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.text
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect(text)
    }

    #[test]
    fn order_is_numeric_then_stable_then_label() {
        let ascending =
            ["0.0.0rc1", "0.0.0", "0.0.9", "0.0.10-alpha", "0.0.10-dev", "0.0.10-rc2", "0.0.10", "0.1.0"];
        for pair in ascending.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn equal_rank_with_different_text_is_still_a_total_order() {
        assert_ne!(version("01.2.3").cmp(&version("1.2.3")), Ordering::Equal);
        assert_eq!(version("1.2.3").cmp(&version("1.2.3")), Ordering::Equal);
    }

    #[test]
    fn any_trailing_text_is_the_label() {
        assert_eq!(version("1.2.3.4").label(), ".4");
        assert_eq!(version("1.2.3alpha").label(), "alpha");
        assert!(version("1.2.3").is_stable());
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in [
            "",
            "1",
            "1.0",
            "1.0.",
            "v1.0.0",
            "1.a.0",
            ".1.0.0",
            "1.0.0\n",
            "99999999999999999999.0.0",
            "-1.0.0",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
    }
}
