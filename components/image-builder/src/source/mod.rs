//! Where the source of a job comes from: a git repository, or an archive in the request, which
//! [`racetrack_service::source_archive`] reads.

pub mod git_address;
pub mod networks;

pub(crate) mod consistency;
pub(crate) mod git;
mod git_environment;
mod git_relay;
mod git_size;
pub(crate) mod links;

use std::path::PathBuf;

/// The source of a job in its workspace.
#[derive(Debug)]
pub(crate) struct FetchedSource {
    /// The folder of the job.
    pub(crate) job: PathBuf,
    /// The folder with everything that was fetched; the one of the job is in it, or is the same.
    pub(crate) root: PathBuf,
    /// The revision, as people write it.
    pub(crate) git_version: String,
}
