//! What stands in the way of an operation.

/// What is in the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// This version of the job is being deployed.
    #[error("There's already ongoing deployment of job {job_name} {job_version}")]
    DeploymentInProgress {
        /// The job's name.
        job_name: String,
        /// The job's version.
        job_version: String,
        /// When the other deployment last made progress, in seconds since 1970; absent when it ended
        /// meanwhile.
        update_time: Option<i64>,
    },
    /// The deployment is over, and its outcome is not changed any more.
    #[error("deployment with ID {id} is over")]
    DeploymentOver {
        /// The deployment's id.
        id: String,
    },
    /// A user of this name is there.
    #[error("User {username} already exists")]
    User {
        /// The name wanted.
        username: String,
    },
    /// Without this user there would be no active administrator.
    #[error("User {username} is the last active administrator")]
    LastAdministrator {
        /// The user's name.
        username: String,
    },
    /// An ESC of this id is there.
    #[error("ESC with ID {id} already exists")]
    Esc {
        /// The id wanted.
        id: String,
    },
}
