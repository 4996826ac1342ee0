//! The name of a plugin.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name a plugin may have, in bytes.
pub const MAX_LENGTH: usize = 64;

/// File names that Windows gives to devices, with or without an extension.
const DEVICE_NAMES: &[&str] = &["con", "prn", "aux", "nul", "conin", "conout", "clock"];

/// A plugin's name: lower-case ASCII letters, digits and single dashes, starting with a letter, at most
/// [`MAX_LENGTH`] bytes, and no device name of any system.
///
/// The same text names the plugin's crate, its folder in a generated workspace and its bundle, so it has to be
/// valid in all of these places.
///
/// ```
/// use racetrack_core::PluginName;
///
/// let name: PluginName = "skynet-watcher".parse()?;
/// assert_eq!(name.as_str(), "skynet-watcher");
/// assert!("Skynet".parse::<PluginName>().is_err());
/// # Ok::<(), racetrack_core::plugin_name::InvalidPluginName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PluginName(String);

/// Why a text is no plugin name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPluginName {
    /// The text has no characters.
    #[error("a plugin name must not be empty")]
    Empty,
    /// The text is longer than [`MAX_LENGTH`] bytes.
    #[error("a plugin name must not be longer than {MAX_LENGTH} bytes, this one has {length}")]
    TooLong {
        /// The length found, in bytes.
        length: usize,
    },
    /// The first character is no lower-case ASCII letter.
    #[error("a plugin name must start with a lower-case ASCII letter, not with {first:?}")]
    BadStart {
        /// The character found.
        first: char,
    },
    /// A character is neither lower-case ASCII letter, nor digit, nor dash.
    #[error(
        "a plugin name must consist of lower-case ASCII letters, digits and single dashes, not {character:?}"
    )]
    BadCharacter {
        /// The character found.
        character: char,
    },
    /// Two dashes follow each other, or the last character is a dash.
    #[error("each dash in a plugin name must stand between two letters or digits")]
    BadDash,
    /// Some system reserves the name for a device.
    #[error("`{name}` is a device name on some systems, so no plugin may have it")]
    DeviceName {
        /// The name found.
        name: String,
    },
}

impl PluginName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PluginName {
    type Err = InvalidPluginName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let first = text.chars().next().ok_or(InvalidPluginName::Empty)?;
        if text.len() > MAX_LENGTH {
            return Err(InvalidPluginName::TooLong { length: text.len() });
        }
        if !first.is_ascii_lowercase() {
            return Err(InvalidPluginName::BadStart { first });
        }
        let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-';
        if let Some(character) = text.chars().find(|c| !allowed(c)) {
            return Err(InvalidPluginName::BadCharacter { character });
        }
        if text.contains("--") || text.ends_with('-') {
            return Err(InvalidPluginName::BadDash);
        }
        if is_device_name(text) {
            return Err(InvalidPluginName::DeviceName { name: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for PluginName {
    type Error = InvalidPluginName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PluginName> for String {
    fn from(name: PluginName) -> Self {
        name.0
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_device_name(name: &str) -> bool {
    let numbered = |prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    };
    DEVICE_NAMES.contains(&name) || numbered("com") || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(text: &str) -> String {
        text.parse::<PluginName>().expect_err(text).to_string()
    }

    #[test]
    fn ordinary_names_are_accepted() {
        for name in ["a", "skynet-watcher", "python3-job-type", "com10", "console", "a-1-b", &"x".repeat(64)]
        {
            assert_eq!(name.parse::<PluginName>().map(String::from), Ok(name.to_owned()));
        }
    }

    #[test]
    fn each_rule_has_its_own_message() {
        assert_eq!(rejected(""), "a plugin name must not be empty");
        assert!(rejected(&"x".repeat(65)).contains("this one has 65"));
        assert!(rejected("3d").contains("not with '3'"));
        assert!(rejected("-a").contains("not with '-'"));
        assert!(rejected("a_b").contains("not '_'"));
        assert!(rejected("aB").contains("not 'B'"));
        assert!(rejected("a\u{301}").contains("lower-case ASCII"));
        assert!(rejected("a--b").contains("between two letters"));
        assert!(rejected("a-").contains("between two letters"));
        for name in ["con", "nul", "com1", "lpt9", "com0", "aux"] {
            assert!(rejected(name).contains("device name"), "{name}");
        }
    }
}
