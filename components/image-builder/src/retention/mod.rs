//! What is removed again: bundles and build logs when lifecycle says that they may go, and what bundles needed of the cache.
//!
//! Only lifecycle knows what jobs need. It asks what image-builder [holds](Holdings) for its platform, looks what of that is
//! needed, and [releases](Release) the rest. Nothing goes that is not named, so a list that is empty or cut short removes
//! too little; and nothing goes that was made or used again after lifecycle asked, for the [mark](Mark) tells.

mod build_logs;
pub(crate) mod mark;
pub(crate) mod metrics;
pub(crate) mod owner;
pub(crate) mod removal;

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

pub(crate) use mark::Mark;
pub(crate) use owner::Owner;
pub(crate) use removal::Removed;

use crate::engine::ImageEngine;
use crate::identifier::{DeploymentId, PlatformId};
use crate::workspace::Workspaces;

/// What is held for a platform, as it was when the mark was made.
#[derive(Debug, Serialize)]
pub(crate) struct Holdings {
    /// Given back with what may go.
    mark: Mark,
    /// The images that only this platform or this one, too, had built.
    images: Vec<HeldImage>,
    /// The deployments, of whichever platform, that there are build logs of.
    build_logs: Vec<DeploymentId>,
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
    platform_id: PlatformId,
    mark: Mark,
    images: Vec<String>,
    build_logs: Vec<DeploymentId>,
}

/// What was removed, and what is left.
#[derive(Debug, Serialize)]
pub(crate) struct Removals {
    images: Removed,
    build_logs: Removed,
    cache_entries: Removed,
    kept: Kept,
}

/// The images that are left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Kept {
    pub(crate) images: u64,
    /// Without those of nobody.
    pub(crate) bytes: u64,
    /// Of those, the ones that stay for ever because it is not known who may need them.
    pub(crate) images_of_nobody: u64,
}

/// Why nothing is removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RetentionError {
    #[error("the mark is of another start of image-builder; ask again what it holds")]
    OldMark,
    #[error("cannot tell what is held")]
    Read(#[from] io::Error),
}

/// What is held for the platform.
pub(crate) fn holdings(
    engine: &dyn ImageEngine,
    build_logs_folder: &Path,
    platform: &PlatformId,
) -> Result<Holdings, RetentionError> {
    let (mark, images) = engine.held(platform)?;
    Ok(Holdings { mark, images, build_logs: build_logs::list(build_logs_folder)? })
}

/// Removes what the platform has released, unless somebody else needs it. What cannot be removed is logged and counted, and
/// tried again the next time.
pub(crate) fn release(
    engine: &dyn ImageEngine,
    build_logs_folder: &Path,
    workspaces: &Workspaces,
    release: &Release,
) -> Result<Removals, RetentionError> {
    let images = engine.release(&release.platform_id, release.mark, &release.images)?;
    let build_logs = build_logs::remove(build_logs_folder, workspaces, &release.build_logs);
    // After the images, which need what is in the cache.
    let cache_entries = engine.clean_cache();
    let removals = Removals { images, build_logs, cache_entries, kept: engine.kept()? };
    metrics::record(&removals);
    removals.log();
    Ok(removals)
}

impl Removals {
    fn parts(&self) -> [(&'static str, Removed); 3] {
        [("image", self.images), ("build_log", self.build_logs), ("cache_entry", self.cache_entries)]
    }

    fn log(&self) {
        let Self { images, build_logs, cache_entries, kept } = self;
        let bytes: u64 = self.parts().iter().map(|(_, removed)| removed.bytes).sum();
        let failures: u64 = self.parts().iter().map(|(_, removed)| removed.failures).sum();
        let is_worth_telling = self.parts().iter().any(|(_, removed)| *removed != Removed::default());
        let (kept, kept_bytes, of_nobody) = (kept.images, kept.bytes, kept.images_of_nobody);
        let counts = (images.count, build_logs.count, cache_entries.count);
        if is_worth_telling {
            tracing::info!(
                images = counts.0,
                build_logs = counts.1,
                cache_entries = counts.2,
                bytes,
                failures,
                kept,
                kept_bytes,
                of_nobody,
                "removed what no job needs"
            );
        } else {
            tracing::debug!(kept, kept_bytes, of_nobody, "there is nothing to remove that no job needs");
        }
    }
}
