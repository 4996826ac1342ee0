//! The secrets of jobs: those that are kept, and those of a deployment under way.
//!
//! While an instance serves, secrets that are saved are those of the *next* instance. They wait in a folder of their own
//! until that instance is started, go into its folder, and become the kept ones when it takes over the service. Its
//! record decides when that is: what is to follow it and was not done is done by a later lifecycle. If the instance goes
//! instead, its secrets go with its folder.

use racetrack_core::JobSecrets;

use crate::instance::Instance;
use crate::state::file::{self, StateError};
use crate::state::job_key::JobKey;
use crate::state::seal::SealError;
use crate::target::Target;

impl Target {
    /// The secrets that are kept of a job.
    pub(crate) fn kept_secrets(&self, key: &JobKey) -> Result<JobSecrets, SealError> {
        self.host.seal()?.read(&self.folder.secrets(key), &self.secrets_purpose(key))
    }

    /// Keeps secrets: at once, or, while an instance of the job serves, once the next one does.
    pub(crate) fn save_secrets(&self, key: &JobKey, secrets: &JobSecrets) -> Result<(), SealError> {
        let serves = self.jobs().get(key).is_some_and(|entry| entry.current.is_some());
        if serves && self.kept_secrets(key).is_ok_and(|kept| kept == *secrets) {
            return Ok(self.discard_next_secrets(key)?);
        }
        let path = if serves { self.folder.next_secrets(key) } else { self.folder.secrets(key) };
        self.host.seal()?.write(&path, &self.secrets_purpose(key), secrets)
    }

    /// Gives an instance that is being started the secrets that were saved for it, if any were.
    pub(crate) fn give_next_secrets(&self, instance: &Instance) -> Result<(), StateError> {
        if file::rename(&self.folder.next_secrets(&instance.key), &instance.secrets_file())? {
            // For the folder that it was in, which may be empty now.
            self.discard_next_secrets(&instance.key)?;
        }
        Ok(())
    }

    /// Makes the secrets that an instance was started with those that are kept; without any, the kept ones stay.
    pub(crate) fn keep_secrets_of(&self, instance: &Instance) -> Result<(), StateError> {
        file::rename(&instance.secrets_file(), &self.folder.secrets(&instance.key)).map(drop)
    }

    /// Forgets the secrets that wait for the next instance of a job.
    pub(crate) fn discard_next_secrets(&self, key: &JobKey) -> Result<(), StateError> {
        file::remove(&self.folder.next_secrets(key), &self.folder.next_secrets_folder())
    }

    fn secrets_purpose(&self, key: &JobKey) -> String {
        format!("secrets of {} {} on {}", key.name(), key.version(), self.name)
    }
}
