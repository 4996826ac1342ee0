//! The versions that are being deleted: one deployment or one deletion of a version at a time.

use crate::request_error::RequestError;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use racetrack_service::ApiError;
use racetrack_store::Store;

/// The versions that are being deleted, by name and version. Deployments are in the store. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deletions(Arc<Mutex<HashSet<(String, String)>>>);

/// A version that is being deleted, until this is dropped.
#[derive(Debug)]
pub(crate) struct Deletion {
    all: Deletions,
    key: (String, String),
}

impl Deletions {
    /// Claims a version for a deletion.
    ///
    /// # Errors
    /// 409 when the version is being deployed or deleted.
    pub(crate) async fn begin(
        &self,
        store: &Store,
        name: &str,
        version: &str,
    ) -> Result<Deletion, RequestError> {
        let key = (name.to_owned(), version.to_owned());
        if !self.lock().insert(key.clone()) {
            return Err(
                ApiError::already_exists(format!("job {name} v{version} is being deleted already")).into()
            );
        }
        let deletion = Deletion { all: self.clone(), key };
        let under_way = store.deployments_in_progress().await?;
        if under_way
            .iter()
            .any(|other| (other.job_name.as_str(), other.job_version.as_str()) == (name, version))
        {
            return Err(ApiError::already_exists(format!(
                "job {name} v{version} is being deployed; it can be deleted when that is over"
            ))
            .into());
        }
        Ok(deletion)
    }

    /// Whether the version is being deleted.
    pub(super) fn includes(&self, name: &str, version: &str) -> bool {
        self.lock().contains(&(name.to_owned(), version.to_owned()))
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Deletion {
    fn drop(&mut self) {
        self.all.lock().remove(&self.key);
    }
}
