//! Why bundles cannot be made here at all.

use std::io;
use std::path::PathBuf;

/// Why the engine cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleEngineError {
    /// A folder cannot be made or cleared.
    #[error("cannot use the folder {} for job bundles", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process uses the folder.
    #[error("the bundles folder {} is in use by another image-builder; set bundles-folder to another one", .0.display())]
    InUse(PathBuf),
    /// The system gives no threads.
    #[error("cannot start the threads of builds")]
    Threads(#[source] io::Error),
}
