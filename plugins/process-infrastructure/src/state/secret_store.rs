//! The secrets of jobs: those that are stored, and those of a deployment under way.
//!
//! While an instance serves, secrets that are saved are those of the *next* instance. They wait in a folder of their own
//! until that instance is started, go into its folder, and become the stored ones when it takes over the service. Its
//! record decides when that is: what is to follow it and was not done is done by a later lifecycle. If the instance goes
//! instead, its secrets go with its folder.

use std::path::Path;

use racetrack_core::JobSecrets;

use crate::state::file::{self, StateError};
use crate::state::folder::StateFolder;
use crate::state::job_key::JobKey;
use crate::state::seal::{Seal, SealError};

/// The secrets of the jobs of one target.
#[derive(Debug)]
pub(crate) struct SecretStore {
    target: String,
    folder: StateFolder,
}

impl SecretStore {
    /// The secrets of the target of that name, in its folder.
    pub(crate) const fn new(target: String, folder: StateFolder) -> Self {
        Self { target, folder }
    }

    /// The stored secrets of a job.
    pub(crate) fn read(&self, seal: &Seal, key: &JobKey) -> Result<JobSecrets, SealError> {
        seal.read(&self.folder.secrets(key), &self.purpose(key))
    }

    /// Saves secrets: at once, or, while an instance of the job serves, for the next one.
    pub(crate) fn save(
        &self,
        seal: &Seal,
        key: &JobKey,
        secrets: &JobSecrets,
        serves: bool,
    ) -> Result<(), SealError> {
        if serves && self.read(seal, key).is_ok_and(|stored| stored == *secrets) {
            return Ok(self.discard_next(key)?);
        }
        let path = if serves { self.folder.next_secrets(key) } else { self.folder.secrets(key) };
        seal.write(&path, &self.purpose(key), secrets)
    }

    /// Moves the secrets that wait for the next instance of a job, if any do, to the file of that instance.
    pub(crate) fn give_next(&self, key: &JobKey, instance_file: &Path) -> Result<(), StateError> {
        if file::rename(&self.folder.next_secrets(key), instance_file)? {
            // For the folder that it was in, which may be empty now.
            self.discard_next(key)?;
        }
        Ok(())
    }

    /// Makes the secrets in the file of an instance the stored ones; without any, the stored ones stay.
    pub(crate) fn adopt(&self, key: &JobKey, instance_file: &Path) -> Result<(), StateError> {
        file::rename(instance_file, &self.folder.secrets(key)).map(drop)
    }

    /// Forgets the secrets that wait for the next instance of a job.
    pub(crate) fn discard_next(&self, key: &JobKey) -> Result<(), StateError> {
        file::remove(&self.folder.next_secrets(key), &self.folder.next_secrets_folder())
    }

    fn purpose(&self, key: &JobKey) -> String {
        format!("secrets of {} {} on {}", key.name(), key.version(), self.target)
    }
}
