//! Tokens: what a subject shows to be known.
//!
//! A token that users carry is signed by lifecycle and holds a *seed*; the store knows the seed alone. So the
//! tokens cannot be had from the database without the key they are signed with, and can be written anew with
//! it.

use std::collections::HashMap;
use std::fmt;

use sqlx::any::AnyRow;
use sqlx::{Error, FromRow, Row};
use uuid::Uuid;

use super::row::{flag_column, text};
use super::subject::Subject;
use crate::database::limited_connection::LimitedConnection;
use crate::database::reader::Reader;
use crate::error::{StoreError, attempt};

/// A token as the store knows it. Times are seconds since 1970. Its `Debug` form leaves the seed out.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Token {
    /// Identifies it among people: no secret.
    pub id: String,
    /// Whom it stands for.
    pub subject: Subject,
    /// What a signed token holds, and no other token does.
    pub seed: String,
    /// Whether it is good at all.
    pub is_active: bool,
    /// When it was made.
    pub create_time: i64,
    /// From when on it is not good any more.
    pub expiry_time: Option<i64>,
    /// When it was last used, as [`Store::note_token_uses`](crate::Store::note_token_uses) was told.
    pub last_use_time: Option<i64>,
    /// Whether its subject is welcome: a user may be deactivated.
    pub is_subject_active: bool,
    /// Whether it is that of a session; see [`Store::create_session`](crate::Store::create_session).
    pub is_session: bool,
}

/// Why a token with a good signature is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    /// There is no such token, or no longer.
    #[error("given token is not known, or was revoked")]
    Unknown,
    /// It was switched off.
    #[error("given token is inactive")]
    Inactive,
    /// Its time is over.
    #[error("given token has expired")]
    Expired,
    /// Its user was deactivated.
    #[error("the user of the given token is not active")]
    SubjectInactive,
}

/// A token to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewToken {
    pub(crate) expiry_time: Option<i64>,
    pub(crate) is_session: bool,
}

const SELECT_ALL: &str = "\
    SELECT tokens.id, kind, COALESCE(subjects.username, esc_id, job_family, service_name) AS subject_name, \
        seed, tokens.is_active, tokens.create_time, expiry_time, last_use_time, is_session, \
        COALESCE(users.is_active, 1) AS is_subject_active \
    FROM tokens JOIN subjects ON subjects.id = subject_id \
        LEFT JOIN users ON users.username = subjects.username";

impl NewToken {
    /// One that is good until it is revoked.
    pub(crate) const LASTING: Self = Self { expiry_time: None, is_session: false };
}

impl Token {
    /// Whether the token is good at a time, in seconds since 1970.
    pub fn check(&self, now: i64) -> Result<(), TokenRefusal> {
        if !self.is_active {
            Err(TokenRefusal::Inactive)
        } else if self.expiry_time.is_some_and(|expiry| expiry <= now) {
            Err(TokenRefusal::Expired)
        } else if !self.is_subject_active {
            Err(TokenRefusal::SubjectInactive)
        } else {
            Ok(())
        }
    }
}

/// Every token, by its seed.
pub(crate) async fn load(reader: &Reader) -> Result<HashMap<String, Token>, StoreError> {
    let tokens = sqlx::query_as(SELECT_ALL).fetch_all(reader).await;
    let tokens: Vec<Token> = tokens.map_err(attempt("list the tokens"))?;
    Ok(tokens.into_iter().map(|token| (token.seed.clone(), token)).collect())
}

/// Adds a token with a new seed, and gives its id.
pub(crate) async fn insert(
    connection: &mut LimitedConnection,
    subject_id: &str,
    create_time: i64,
    new: NewToken,
) -> Result<String, Error> {
    const INSERT: &str = "\
        INSERT INTO tokens (id, subject_id, seed, is_active, create_time, expiry_time, is_session) \
        VALUES ($1, $2, $3, 1, $4, $5, $6)";
    let id = Uuid::new_v4().to_string();
    let query = sqlx::query(INSERT).bind(id.clone()).bind(subject_id.to_owned());
    let query = query.bind(Uuid::new_v4().to_string()).bind(create_time);
    let query = query.bind(new.expiry_time).bind(i64::from(new.is_session));
    query.execute(connection).await.map(|_| id)
}

/// Deletes a token of a subject. Returns whether the subject had it.
pub(crate) async fn delete(
    connection: &mut LimitedConnection,
    subject_id: &str,
    id: &str,
) -> Result<bool, Error> {
    let query = sqlx::query("DELETE FROM tokens WHERE id = $1 AND subject_id = $2");
    let query = query.bind(text(id)).bind(subject_id.to_owned());
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

/// Replaces when a token was last used.
pub(crate) async fn set_use_time(
    connection: &mut LimitedConnection,
    id: &str,
    time: i64,
) -> Result<(), Error> {
    let query = sqlx::query("UPDATE tokens SET last_use_time = $2 WHERE id = $1");
    query.bind(text(id)).bind(time).execute(connection).await.map(drop)
}

/// Deletes every token of a user.
pub(crate) async fn delete_of_user(connection: &mut LimitedConnection, username: &str) -> Result<(), Error> {
    const DELETE: &str = "\
        DELETE FROM tokens WHERE subject_id IN (SELECT id FROM subjects WHERE username = $1)";
    sqlx::query(DELETE).bind(text(username)).execute(connection).await.map(drop)
}

/// Deletes every token of a job family that has no job any more.
pub(crate) async fn delete_of_family_without_jobs(
    connection: &mut LimitedConnection,
    family: &str,
) -> Result<(), Error> {
    const DELETE: &str = "\
        DELETE FROM tokens WHERE subject_id IN (SELECT id FROM subjects WHERE job_family = $1) \
        AND NOT EXISTS (SELECT 1 FROM jobs WHERE name = $1)";
    sqlx::query(DELETE).bind(text(family)).execute(connection).await.map(drop)
}

/// Deletes the tokens of a subject that expired before a time.
pub(crate) async fn delete_expired(
    connection: &mut LimitedConnection,
    subject_id: &str,
    before: i64,
) -> Result<(), Error> {
    let query = sqlx::query("DELETE FROM tokens WHERE subject_id = $1 AND expiry_time < $2");
    query.bind(subject_id.to_owned()).bind(before).execute(connection).await.map(drop)
}

/// Deletes every token of a subject.
pub(crate) async fn delete_all(connection: &mut LimitedConnection, subject_id: &str) -> Result<(), Error> {
    let query = sqlx::query("DELETE FROM tokens WHERE subject_id = $1").bind(subject_id.to_owned());
    query.execute(connection).await.map(drop)
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("id", &self.id).field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl FromRow<'_, AnyRow> for Token {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.try_get("id")?,
            subject: Subject::from_row(row)?,
            seed: row.try_get("seed")?,
            is_active: flag_column(row, "is_active")?,
            create_time: row.try_get("create_time")?,
            expiry_time: row.try_get("expiry_time")?,
            last_use_time: row.try_get("last_use_time")?,
            is_subject_active: flag_column(row, "is_subject_active")?,
            is_session: flag_column(row, "is_session")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token {
            id: "7".to_owned(),
            subject: Subject::user("bob"),
            seed: "hunter2".to_owned(),
            is_active: true,
            create_time: 0,
            expiry_time: None,
            last_use_time: None,
            is_subject_active: true,
            is_session: false,
        }
    }

    #[test]
    fn a_token_is_good_until_its_time() {
        let expiring = Token { expiry_time: Some(100), ..token() };
        assert_eq!(token().check(i64::MAX), Ok(()));
        assert_eq!(expiring.check(99), Ok(()));
        assert_eq!(expiring.check(100), Err(TokenRefusal::Expired));
        assert_eq!(Token { is_active: false, ..token() }.check(0), Err(TokenRefusal::Inactive));
        assert_eq!(
            Token { is_subject_active: false, ..token() }.check(0),
            Err(TokenRefusal::SubjectInactive)
        );
    }

    #[test]
    fn no_seed_is_shown() {
        let shown = format!("{:?}", token());
        assert!(shown.contains("bob") && !shown.contains("hunter2"), "{shown}");
    }
}
