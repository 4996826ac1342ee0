//! What is held for a platform, and what of that it releases.

use serde::{Deserialize, Serialize};

use super::mark::Mark;
use crate::identifier::{DeploymentId, PlatformId};

/// What is held for a platform, as it was when the mark was made.
#[derive(Debug, Serialize)]
pub(crate) struct Holdings {
    /// Given back with what may go.
    pub(crate) mark: Mark,
    /// The images that only this platform or this one, too, had built.
    pub(crate) images: Vec<HeldImage>,
    /// The deployments, of whichever platform, that there are build logs of.
    pub(crate) build_logs: Vec<DeploymentId>,
}

/// An image that a platform had built.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct HeldImage {
    pub(crate) name: String,
    /// The last deployment of the platform that it was built for.
    pub(crate) deployment_id: DeploymentId,
}

/// What a platform needs no longer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Release {
    pub(crate) platform_id: PlatformId,
    pub(crate) mark: Mark,
    pub(crate) images: Vec<String>,
    pub(crate) build_logs: Vec<DeploymentId>,
}
