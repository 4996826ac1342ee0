//! The UUIDs by which lifecycle names itself and what it has built.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The id of a deployment: a UUID in lower case, so that it names a file and a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct DeploymentId(String);

/// Identifies a lifecycle by its database: a UUID in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PlatformId(String);

/// A text that is not a [`DeploymentId`].
#[derive(Debug, thiserror::Error)]
#[error("deployment_id: `{0}` is not a UUID")]
pub(crate) struct InvalidDeploymentId(String);

/// A text that is not a [`PlatformId`].
#[derive(Debug, thiserror::Error)]
#[error("platform_id: it is not a UUID")]
pub(crate) struct InvalidPlatformId;

impl DeploymentId {
    /// The id that the text is.
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidDeploymentId> {
        if is_uuid(text) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(InvalidDeploymentId(text.chars().take(64).collect()))
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DeploymentId {
    type Error = InvalidDeploymentId;

    fn try_from(text: String) -> Result<Self, InvalidDeploymentId> {
        Self::parse(&text)
    }
}

impl TryFrom<String> for PlatformId {
    type Error = InvalidPlatformId;

    fn try_from(text: String) -> Result<Self, InvalidPlatformId> {
        if is_uuid(&text) { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidPlatformId) }
    }
}

impl fmt::Display for PlatformId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the text is a UUID as people write it, in upper or lower case.
fn is_uuid(text: &str) -> bool {
    let is_right = |(index, byte): (usize, u8)| match index {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_right)
}
