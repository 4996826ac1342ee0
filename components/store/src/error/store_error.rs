//! Why an operation of the store did not happen.

use std::io;
use std::time::Duration;

use sqlx::migrate::MigrateError;

use super::conflict::Conflict;
use super::database_error::is_refusal;
use super::not_found::NotFound;

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
        "the database `{database}` is in use by {holder}; one database serves one lifecycle, so stop \
         that one, or give this one a database of its own with --database-url"
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
        "the database `{database}` is behind a pooler that shares sessions, such as PgBouncer with \
         `pool_mode = transaction`; lifecycle needs sessions of its own: set `pool_mode = session` for this \
         database, or connect to PostgreSQL itself"
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

impl StoreError {
    /// Whether the same operation would be refused again, however often it is tried, because of what it is
    /// given. A database that is away, busy, full or broken refuses nothing in this sense.
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
    /// Whether the database is away, does not answer, or has no time, so that the same operation may succeed
    /// later.
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

/// Names what was attempted, where the database is called.
pub(crate) fn attempt(attempt: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::Database { attempt, source }
}
