//! The work of a transaction: how it ends, and why it fails.

use crate::error::{Conflict, NotFound, StoreError};
use crate::memory::change::Change;

/// The end of the work of a transaction.
#[derive(Debug)]
pub(crate) enum Ending<T> {
    /// The transaction is to be committed, and the tables in memory are to take over what it changes.
    Commit { value: T, changes: Vec<Change> },
    /// The transaction is to be undone: there is nothing to change.
    RollBack { value: T },
}

/// Why the work of a transaction fails. The transaction is undone.
#[derive(Debug)]
pub(crate) enum WorkError {
    /// The operation is refused, or the part of it that failed has a name of its own.
    Store(StoreError),
    /// A statement failed.
    Database(sqlx::Error),
}

/// Ends the work of a transaction that is to be committed. Says all that the tables in memory have to take
/// over.
pub(crate) fn commit<T, const N: usize>(value: T, changes: [Change; N]) -> Ending<T> {
    Ending::Commit { value, changes: changes.into() }
}

/// Ends the work of a transaction that changes nothing.
pub(crate) const fn roll_back<T>(value: T) -> Ending<T> {
    Ending::RollBack { value }
}

impl WorkError {
    /// The error of an operation that attempts this: `list the jobs`.
    pub(crate) fn of_attempt(self, attempt: &'static str) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Database(source) => StoreError::Database { attempt, source },
        }
    }
}

impl From<StoreError> for WorkError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<NotFound> for WorkError {
    fn from(error: NotFound) -> Self {
        Self::Store(error.into())
    }
}

impl From<Conflict> for WorkError {
    fn from(error: Conflict) -> Self {
        Self::Store(error.into())
    }
}

impl From<sqlx::Error> for WorkError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
