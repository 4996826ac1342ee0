//! Getting a source from where it is into the store.

use std::path::Path;

use racetrack_bundle::limits;
use url::Url;

use super::commit::{self, CommitError};
use super::http::{HttpClient, HttpError};
use super::release::{self, ReleaseError};
use super::repository::{GitError, Repository};
use super::{BundleAddress, RemoteSource, Sha256, store};

/// Why a source was not fetched. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It cannot be downloaded.
    #[error("the download failed")]
    Http(#[source] HttpError),
    /// It is not known what to download.
    #[error("the release has no bundle to download")]
    Release(#[source] ReleaseError),
    /// It is something else than what was declared.
    #[error("the download is something else")]
    Digest {
        /// What it is.
        found: Sha256,
        /// What the declaration says.
        declared: Sha256,
    },
    /// The repository does not give the commit.
    #[error("the commit cannot be fetched")]
    Git(#[source] GitError),
    /// The commit is no folder of files.
    #[error("the commit cannot be used")]
    Commit(#[source] CommitError),
    /// The store does not take it.
    #[error("cannot write to the store")]
    Store(#[source] anyhow::Error),
}

/// Fetches a source into the store; `progress` hears how many bytes there are so far.
pub fn fetch(source: &RemoteSource, store: &Path, progress: impl FnMut(u64)) -> Result<(), FetchError> {
    match source {
        RemoteSource::Bundle { address, sha256 } => {
            let content = get(address, Some(sha256), progress)?;
            let found = Sha256::of(&content);
            if found != *sha256 {
                return Err(FetchError::Digest { found, declared: sha256.clone() });
            }
            store::place_bundle(store, sha256, &content).map_err(FetchError::Store)
        }
        RemoteSource::Commit { repository, commit, subfolder } => {
            fetch_commit(repository, commit, subfolder.as_deref(), store, source.origin(store).path())
        }
    }
}

/// Downloads a bundle that nobody has declared yet into the store. Returns its digest.
pub fn download(
    address: &BundleAddress,
    store: &Path,
    progress: impl FnMut(u64),
) -> Result<Sha256, FetchError> {
    let content = get(address, None, progress)?;
    let sha256 = Sha256::of(&content);
    store::place_bundle(store, &sha256, &content).map_err(FetchError::Store)?;
    Ok(sha256)
}

fn get(
    address: &BundleAddress,
    wanted: Option<&Sha256>,
    progress: impl FnMut(u64),
) -> Result<Vec<u8>, FetchError> {
    let client = HttpClient::new();
    let asset;
    let url = match address {
        BundleAddress::Url(url) => url,
        BundleAddress::Release(release) => {
            asset = release::asset(release, wanted, release::API, &client).map_err(FetchError::Release)?;
            &asset
        }
    };
    client.get(url, limits::ARCHIVE_BYTES, progress).map_err(FetchError::Http)
}

fn fetch_commit(
    repository: &Url,
    commit: &str,
    subfolder: Option<&str>,
    store: &Path,
    place: &Path,
) -> Result<(), FetchError> {
    let staging = store::staging(store).map_err(|error| FetchError::Store(error.into()))?;
    let fetched =
        Repository::fetch(repository, commit, &staging.path().join("repository")).map_err(FetchError::Git)?;
    let fresh = staging.path().join("tree");
    commit::export(&fetched, commit, subfolder, &fresh).map_err(FetchError::Commit)?;
    store::place_tree(&fresh, staging.path(), place).map_err(FetchError::Store)?;
    staging.close().map_err(|error| FetchError::Store(error.into()))
}
