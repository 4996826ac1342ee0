//! A plugin source that is elsewhere, by what it holds.

use std::fmt;
use std::path::{Path, PathBuf};

use racetrack_bundle::Origin;
use url::Url;

use super::address::{Invalid, bundle_address};
use super::layout::{bundle_path, digest_path, tree_path};
use super::release::{self, Release};
use super::sha256::Sha256;

/// Where a bundle can be downloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BundleAddress {
    /// A file on a server.
    Url(Url),
    /// The asset of a release.
    Release(Release),
}

/// A plugin source that is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteSource {
    /// A ZIP bundle, known by its bytes.
    Bundle {
        /// Where it is.
        address: BundleAddress,
        /// What it must be.
        sha256: Sha256,
    },
    /// A folder of a commit.
    Commit {
        /// The repository to ask for it.
        repository: Url,
        /// The full id, 40 lower-case hexadecimal digits.
        commit: String,
        /// The folder of the plugin crate with `/` between its parts, if not the root.
        subfolder: Option<String>,
    },
}

impl RemoteSource {
    /// What the store has of it once it was fetched: paths in the store, with `/` between their parts.
    pub fn store_entries(&self) -> Vec<String> {
        let origin = self.origin(Path::new(""));
        let path = origin.path();
        let paths = match self {
            Self::Bundle { .. } => vec![path.to_owned()],
            Self::Commit { .. } => vec![path.to_owned(), digest_path(path)],
        };
        let parts = |path: &PathBuf| {
            path.iter().map(|part| part.to_string_lossy().into_owned()).collect::<Vec<_>>().join("/")
        };
        paths.iter().map(parts).collect()
    }

    /// Where the store has it, whether it was fetched or not.
    pub fn origin(&self, store: &Path) -> Origin {
        match self {
            Self::Bundle { sha256, .. } => Origin::Zip(bundle_path(store, sha256)),
            Self::Commit { commit, subfolder, .. } => {
                Origin::Folder(tree_path(store, commit, subfolder.as_deref()))
            }
        }
    }
}

/// `https://host/x-1.0.0.zip`, `github.com/owner/repository==1.0.0`.
impl fmt::Display for BundleAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(f),
            Self::Release(release) => release.fmt(f),
        }
    }
}

/// As for bundles; `git https://host/repository@<commit>/subfolder`.
impl fmt::Display for RemoteSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundle { address, .. } => address.fmt(f),
            Self::Commit { repository, commit, subfolder } => {
                write!(f, "git {repository}@{commit}")?;
                subfolder.iter().try_for_each(|subfolder| write!(f, "/{subfolder}"))
            }
        }
    }
}

impl std::str::FromStr for BundleAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.starts_with(release::HOST) {
            text.parse().map(Self::Release)
        } else {
            bundle_address(text).map(Self::Url)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_shown_as_people_would_write_it() {
        let sha256 = Sha256::of(b"x");
        let bundle =
            |text: &str| RemoteSource::Bundle { address: text.parse().unwrap(), sha256: sha256.clone() };
        assert_eq!(bundle("https://host/x.zip").to_string(), "https://host/x.zip");
        assert_eq!(bundle("github.com/a/b==1.0.0").to_string(), "github.com/a/b==1.0.0");
        let commit = |subfolder: Option<&str>| RemoteSource::Commit {
            repository: Url::parse("ssh://git@host/a").unwrap(),
            commit: "0".repeat(40),
            subfolder: subfolder.map(str::to_owned),
        };
        let id = "0".repeat(40);
        assert_eq!(commit(None).to_string(), format!("git ssh://git@host/a@{id}"));
        assert_eq!(commit(Some("p/q")).to_string(), format!("git ssh://git@host/a@{id}/p/q"));
    }

    #[test]
    fn folders_of_one_commit_have_places_of_their_own() {
        let origin = |subfolder: Option<&str>| {
            let repository = Url::parse("https://host/a").unwrap();
            let subfolder = subfolder.map(str::to_owned);
            RemoteSource::Commit { repository, commit: "1".repeat(40), subfolder }.origin(Path::new("/store"))
        };
        let folder = RemoteSource::Commit {
            repository: Url::parse("https://host/a").unwrap(),
            commit: "1".repeat(40),
            subfolder: None,
        };
        let tree = format!("git/{}", "1".repeat(40));
        assert_eq!(folder.store_entries(), [tree.clone(), format!("{tree}.blake3")]);
        assert_eq!(origin(None), Origin::Folder(format!("/store/git/{}", "1".repeat(40)).into()));
        assert_ne!(origin(None), origin(Some("a")));
        assert_ne!(origin(Some("b")), origin(Some("a")));
    }
}
