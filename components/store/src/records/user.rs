//! Users: people with a password.

use std::fmt;

use sqlx::any::AnyRow;
use sqlx::{Error, FromRow, Row};

use super::row::{flag_column, text};
use crate::database::limited_connection::LimitedConnection;
use crate::database::reader::Reader;

/// A person with a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name to log in with.
    pub username: String,
    /// What the password is checked against.
    pub password_hash: PasswordHash,
    /// Whether an administrator let the user in.
    pub is_active: bool,
    /// Whether the user is an administrator.
    pub is_staff: bool,
    /// When the user was registered, in seconds since 1970.
    pub create_time: i64,
    /// When the user last logged in.
    pub last_login_time: Option<i64>,
}

/// The hash of a password with its salt and parameters, as text. It has no `Debug` form.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl User {
    /// A user who never logged in.
    pub fn new(username: &str, password_hash: PasswordHash, create_time: i64) -> Self {
        Self {
            username: username.to_owned(),
            password_hash,
            is_active: false,
            is_staff: false,
            create_time,
            last_login_time: None,
        }
    }
}

impl PasswordHash {
    /// Takes the text of a hash as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text of the hash.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// The name of a user that differs from this one in case at most.
pub(crate) async fn name_alike(
    connection: &mut LimitedConnection,
    username: &str,
) -> Result<Option<String>, Error> {
    const ALIKE: &str = "SELECT username FROM users WHERE lower(username) = lower($1) LIMIT 1";
    sqlx::query_scalar(ALIKE).bind(text(username)).fetch_optional(connection).await
}

/// Adds a user.
pub(crate) async fn insert(connection: &mut LimitedConnection, user: &User) -> Result<(), Error> {
    const INSERT: &str = "\
        INSERT INTO users (username, password_hash, is_active, is_staff, create_time, last_login_time) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    let query = sqlx::query(INSERT)
        .bind(text(&user.username))
        .bind(text(user.password_hash.expose()))
        .bind(i64::from(user.is_active))
        .bind(i64::from(user.is_staff))
        .bind(user.create_time)
        .bind(user.last_login_time);
    query.execute(connection).await.map(drop)
}

/// The user of this name.
pub(crate) async fn find(reader: &Reader, username: &str) -> Result<Option<User>, Error> {
    sqlx::query_as("SELECT * FROM users WHERE username = $1")
        .bind(text(username))
        .fetch_optional(reader)
        .await
}

/// Every user, in no order.
pub(crate) async fn all(reader: &Reader) -> Result<Vec<User>, Error> {
    sqlx::query_as("SELECT * FROM users").fetch_all(reader).await
}

/// The names of active administrators, two at most.
pub(crate) async fn some_administrators(connection: &mut LimitedConnection) -> Result<Vec<String>, Error> {
    const SELECT: &str = "SELECT username FROM users WHERE is_active = 1 AND is_staff = 1 LIMIT 2";
    sqlx::query_scalar(SELECT).fetch_all(connection).await
}

/// Replaces the hash of a user's password. Returns whether the user is there.
pub(crate) async fn set_password_hash(
    connection: &mut LimitedConnection,
    username: &str,
    hash: &PasswordHash,
) -> Result<bool, Error> {
    let query = sqlx::query("UPDATE users SET password_hash = $2 WHERE username = $1");
    let query = query.bind(text(username)).bind(text(hash.expose()));
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

/// Replaces the flags of a user. Returns whether the user is there.
pub(crate) async fn set_flags(
    connection: &mut LimitedConnection,
    username: &str,
    is_active: bool,
    is_staff: bool,
) -> Result<bool, Error> {
    let query = sqlx::query("UPDATE users SET is_active = $2, is_staff = $3 WHERE username = $1");
    let query = query.bind(text(username)).bind(i64::from(is_active)).bind(i64::from(is_staff));
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

/// Replaces when a user last logged in. Returns whether the user is there.
pub(crate) async fn set_login_time(
    connection: &mut LimitedConnection,
    username: &str,
    time: i64,
) -> Result<bool, Error> {
    let query = sqlx::query("UPDATE users SET last_login_time = $2 WHERE username = $1");
    Ok(query.bind(text(username)).bind(time).execute(connection).await?.rows_affected() > 0)
}

/// Deletes a user. Returns whether the user was there.
pub(crate) async fn delete(connection: &mut LimitedConnection, username: &str) -> Result<bool, Error> {
    let query = sqlx::query("DELETE FROM users WHERE username = $1").bind(text(username));
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

impl FromRow<'_, AnyRow> for User {
    fn from_row(row: &AnyRow) -> Result<Self, Error> {
        Ok(Self {
            username: row.try_get("username")?,
            password_hash: PasswordHash(row.try_get("password_hash")?),
            is_active: flag_column(row, "is_active")?,
            is_staff: flag_column(row, "is_staff")?,
            create_time: row.try_get("create_time")?,
            last_login_time: row.try_get("last_login_time")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hash_is_shown() {
        let shown = format!("{:?}", User::new("bob", PasswordHash::new("$argon2id$hunter2"), 0));
        assert!(shown.contains("bob") && !shown.contains("hunter2"), "{shown}");
    }
}
