//! What must never reach a log, an image or an answer of the API.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The secrets of one job. Its `Debug` form shows names only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobSecrets {
    /// What the job's repository asks for.
    pub git_credentials: Option<GitCredentials>,
    /// Variables of the build.
    pub secret_build_env: BTreeMap<String, String>,
    /// Variables of the running job.
    pub secret_runtime_env: BTreeMap<String, String>,
}

/// A user name and a password or token of a git server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitCredentials {
    /// The user name.
    pub username: String,
    /// The password or token.
    pub password: String,
}

impl JobSecrets {
    /// The secrets given.
    pub const fn new(
        git_credentials: Option<GitCredentials>,
        secret_build_env: BTreeMap<String, String>,
        secret_runtime_env: BTreeMap<String, String>,
    ) -> Self {
        Self { git_credentials, secret_build_env, secret_runtime_env }
    }
}

impl fmt::Debug for JobSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobSecrets")
            .field("git_credentials", &self.git_credentials)
            .field("secret_build_env", &self.secret_build_env.keys())
            .field("secret_runtime_env", &self.secret_runtime_env.keys())
            .finish()
    }
}

impl fmt::Debug for GitCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitCredentials").field("username", &self.username).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let credentials = GitCredentials { username: "bob".to_owned(), password: "hunter2".to_owned() };
        let variables = BTreeMap::from([("TOKEN".to_owned(), "hunter2".to_owned())]);
        let secrets = JobSecrets::new(Some(credentials), variables.clone(), variables);
        let shown = format!("{secrets:?}");
        assert!(shown.contains("TOKEN") && shown.contains("bob"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
