//! For whom something was built.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::request::{DeploymentId, is_uuid};

/// Identifies a lifecycle by its database: a UUID in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PlatformId(String);

/// A platform, and the deployment that it has something built for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) platform: PlatformId,
    pub(crate) deployment: DeploymentId,
}

/// A text that is not a [`PlatformId`].
#[derive(Debug, thiserror::Error)]
#[error("platform_id: it is not a UUID")]
pub(crate) struct InvalidPlatformId;

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
