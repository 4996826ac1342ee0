//! Plugin sources that are elsewhere. Each is declared by what it holds — the digest of a bundle, the id of a commit — so
//! it is fetched once into the store, compared on every use, and the same wherever it comes from.

mod address;
mod commit;
mod curl;
mod fetch;
mod http;
mod layout;
mod release;
mod repository;
mod sha256;
mod source;
mod store;

pub use address::{Invalid, bundle_address, commit_id, repository_address, subfolder};
pub use commit::CommitError;
pub use fetch::{FetchError, download, fetch};
pub use http::HttpError;
pub use release::{Release, ReleaseError};
pub use repository::GitError;
pub use sha256::Sha256;
pub use source::{BundleAddress, RemoteSource};
pub use store::holds;
