//! The answers to lifecycle about what is held, and the removal of what it releases.

use std::path::Path;

use crate::engine::ImageEngine;
use crate::identifier::PlatformId;
use crate::retention::{Holdings, Release, Removals, RetentionError, build_logs, metrics};
use crate::workspace::Workspaces;

/// What is held for the platform.
pub(super) fn holdings(
    engine: &dyn ImageEngine,
    build_logs_folder: &Path,
    platform: &PlatformId,
) -> Result<Holdings, RetentionError> {
    let (mark, images) = engine.held(platform)?;
    Ok(Holdings { mark, images, build_logs: build_logs::list(build_logs_folder)? })
}

/// Removes what the platform has released, unless somebody else needs it. What cannot be removed is logged and counted, and
/// tried again the next time.
pub(super) fn release(
    engine: &dyn ImageEngine,
    build_logs_folder: &Path,
    workspaces: &Workspaces,
    release: &Release,
) -> Result<Removals, RetentionError> {
    let images = engine.release(&release.platform_id, release.mark, &release.images)?;
    let build_logs = build_logs::remove(build_logs_folder, workspaces, &release.build_logs);
    // After the images, which need what is in the cache.
    let cache_entries = engine.clean_cache();
    let removals = Removals { images, build_logs, cache_entries, kept: engine.remaining()? };
    metrics::record(&removals);
    removals.log();
    Ok(removals)
}
