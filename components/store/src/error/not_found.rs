//! What an operation asks for and does not find.

/// What is not there. The texts are those that clients of the API know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotFound {
    /// No deployment has this id.
    #[error("deployment with ID {id} was not found")]
    Deployment {
        /// The id asked for.
        id: String,
    },
    /// No version of this job is deployed.
    #[error("No job named {name}")]
    JobName {
        /// The name asked for.
        name: String,
    },
    /// The job is there, and not in this version.
    #[error("No job named {name} with version {version}")]
    JobVersion {
        /// The name asked for.
        name: String,
        /// The version asked for.
        version: String,
    },
    /// No version of the job is fit for the alias `latest`.
    #[error("No stable version found")]
    StableVersion,
    /// No version of the job fits the wildcard.
    #[error("Not found any stable version matching pattern: {pattern}")]
    MatchingVersion {
        /// The wildcard asked for.
        pattern: String,
    },
    /// No job family has this name.
    #[error("No job family named {name}")]
    JobFamily {
        /// The name asked for.
        name: String,
    },
    /// No user has this name.
    #[error("No user named {username}")]
    User {
        /// The name asked for.
        username: String,
    },
    /// No ESC has this id.
    #[error("No ESC with ID {id}")]
    Esc {
        /// The id asked for.
        id: String,
    },
    /// No token has this id.
    #[error("No token with ID {id}")]
    Token {
        /// The id asked for.
        id: String,
    },
    /// The user has no session of this id.
    #[error("No session with ID {id}")]
    Session {
        /// The id asked for.
        id: String,
    },
    /// The job does not ask for this public endpoint.
    #[error("job {name} {version} has no public endpoint {endpoint}")]
    PublicEndpoint {
        /// The job's name.
        name: String,
        /// The job's version.
        version: String,
        /// The endpoint asked for.
        endpoint: String,
    },
}
