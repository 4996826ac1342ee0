//! Why an operation of the store did not happen.

use std::io;
use std::time::Duration;

use sqlx::migrate::MigrateError;

use crate::cache::Silence;

/// An operation that did not happen; nothing of it was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// What was asked for is not there.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// What should be made is in the way of something that is there.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The file of the database cannot be made or written.
    #[error("cannot open the file of the database `{database}`")]
    File {
        /// The database, without its password.
        database: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The database cannot be reached.
    #[error("cannot open the database `{database}`")]
    Open {
        /// The database, without its password.
        database: String,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
    /// Another process writes to the database.
    #[error(
        "the database `{database}` is in use by {holder}; one database serves one lifecycle, so stop that one, or give this one a \
         database of its own with --database-url"
    )]
    InUse {
        /// The database, without its password.
        database: String,
        /// Who uses it, as they say.
        holder: String,
    },
    /// Another process took the database over, so nothing is written here any more.
    #[error("the database is now written by {holder}")]
    TakenOver {
        /// Who uses it, as they say.
        holder: String,
    },
    /// It cannot be seen to that no other process writes to the database.
    #[error("cannot lock the file beside the database `{database}`")]
    Lock {
        /// The database.
        database: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A pooler gives one session of the database to several connections.
    #[error(
        "the database `{database}` is behind a pooler that shares sessions, such as PgBouncer with `pool_mode = transaction`; \
         lifecycle needs sessions of its own: set `pool_mode = session` for this database, or connect to PostgreSQL itself"
    )]
    SharedSessions {
        /// The database, without its password.
        database: String,
    },
    /// The tables cannot be brought to the shape this version needs.
    #[error("cannot bring the tables of the database `{database}` up to date")]
    Migrate {
        /// The database, without its password.
        database: String,
        /// What the database said.
        #[source]
        source: MigrateError,
    },
    /// The database does not answer.
    #[error("the database has not answered for {} ms", limit.as_millis())]
    Silent {
        /// For how long it was waited.
        limit: Duration,
    },
    /// The database failed.
    #[error("cannot {attempt} in the database")]
    Database {
        /// What was attempted: `list the jobs`.
        attempt: &'static str,
        /// What the database said.
        #[source]
        source: sqlx::Error,
    },
}

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
        /// When the other deployment last made progress, in seconds since 1970; absent when it ended meanwhile.
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

impl StoreError {
    /// Whether the same operation would be refused again, however often it is tried, because of what it is given. A
    /// database that is away, busy, full or broken refuses nothing in this sense.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::NotFound(_) | Self::Conflict(_) => true,
            Self::File { .. }
            | Self::Open { .. }
            | Self::Lock { .. }
            | Self::InUse { .. }
            | Self::TakenOver { .. }
            | Self::SharedSessions { .. }
            | Self::Migrate { .. }
            | Self::Silent { .. } => false,
            Self::Database { source, .. } => is_refusal(source),
        }
    }
}

impl StoreError {
    /// Whether the database is away, does not answer, or has no time, so that the same operation may succeed later.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Silent { .. } => true,
            Self::Database { source, .. } => matches!(
                source,
                sqlx::Error::Io(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::WorkerCrashed
                    | sqlx::Error::Tls(_)
            ),
            _ => false,
        }
    }
}

impl From<Silence> for StoreError {
    fn from(Silence { limit }: Silence) -> Self {
        Self::Silent { limit }
    }
}

fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Encode(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::InvalidArgument(_)
        | sqlx::Error::RowNotFound => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_code_of_refusal(&code)),
        _ => false,
    }
}

/// PostgreSQL has codes of five characters, whose first two name the class; SQLite has numbers, whose last byte does.
fn is_code_of_refusal(code: &str) -> bool {
    const TOO_BIG: u32 = 18;
    const CONSTRAINT: u32 = 19;
    const MISMATCH: u32 = 20;
    const RANGE: u32 = 25;
    if code.len() == 5 {
        // Data exceptions, violated constraints, statements that cannot be run, exceeded limits of the program.
        return ["22", "23", "42", "54"].iter().any(|class| code.starts_with(class));
    }
    let class = code.parse::<u32>().map(|number| number & 0xff);
    class.is_ok_and(|class| [TOO_BIG, CONSTRAINT, MISMATCH, RANGE].contains(&class))
}

/// Names what was attempted, where the database is called.
pub(crate) fn attempt(attempt: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { attempt, source }
}

/// Whether the database refused a row because its key is taken.
pub(crate) fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// Whether the database refused a row because what it refers to is not there.
pub(crate) fn refers_to_nothing(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_from_outages() {
        // Too big, a constraint, one of a trigger; a text that is not UTF-8, a violated key, a row that is too large.
        for code in ["18", "19", "1811", "22021", "23505", "54000"] {
            assert!(is_code_of_refusal(code), "{code}");
        }
        // Busy, locked, full, an IO error, a file that cannot be opened; no connection, no space, a shutdown, a deadlock.
        for code in ["5", "6", "13", "10", "3338", "14", "08006", "53100", "57P01", "40P01", "x"] {
            assert!(!is_code_of_refusal(code), "{code}");
        }
        let refusal = |source| StoreError::Database { attempt: "try", source }.is_refusal();
        assert!(refusal(sqlx::Error::Encode("string or blob too big".into())));
        assert!(!refusal(sqlx::Error::PoolTimedOut) && !refusal(sqlx::Error::WorkerCrashed));
    }
}
