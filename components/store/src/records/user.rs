//! Users: people with a password.

use std::fmt;

use sqlx::any::AnyRow;
use sqlx::{Error, FromRow, Row};

use super::row::{flag_column, text};
use crate::database::limited_connection::LimitedConnection;
use crate::error::{Conflict, StoreError, attempt};

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

/// Refuses what would make an end of the last active administrator.
pub(crate) async fn keep_an_administrator(
    connection: &mut LimitedConnection,
    username: &str,
    what: &'static str,
) -> Result<(), StoreError> {
    const SELECT: &str = "SELECT username FROM users WHERE is_active = 1 AND is_staff = 1 LIMIT 2";
    let found = sqlx::query_scalar(SELECT).fetch_all(connection).await;
    let administrators: Vec<String> = found.map_err(attempt(what))?;
    if administrators == [text(username)] {
        return Err(Conflict::LastAdministrator { username: username.to_owned() }.into());
    }
    Ok(())
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
