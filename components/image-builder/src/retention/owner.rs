//! For whom something was built.

use crate::identifier::{DeploymentId, PlatformId};

/// A platform, and the deployment that it has something built for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) platform: PlatformId,
    pub(crate) deployment: DeploymentId,
}
