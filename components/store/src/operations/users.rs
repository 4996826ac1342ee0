//! Registering, changing and deleting users.

use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

use crate::database::clock::now_in_seconds;
use crate::database::writer::Write;
use crate::error::{Conflict, NotFound, StoreError, attempt, is_taken};
use crate::memory::change::Change;
use crate::records::permission::{self, Permission};
use crate::records::row::text;
use crate::records::subject::{self, Subject};
use crate::records::token::{self, NewToken};
use crate::records::user::{PasswordHash, User, keep_an_administrator};
use crate::store::Store;

impl Store {
    /// Adds a user with permissions and a first token, all or nothing.
    ///
    /// # Errors
    /// [`Conflict::User`] when there is a user of that name, or of one that differs in case alone. Databases from before may
    /// have such users.
    pub async fn create_user(&self, user: &User, permissions: &[Permission]) -> Result<(), StoreError> {
        const ATTEMPT: &str = "add a user";
        const INSERT: &str = "\
            INSERT INTO users (username, password_hash, is_active, is_staff, create_time, last_login_time) \
            VALUES ($1, $2, $3, $4, $5, $6)";
        const ALIKE: &str = "SELECT username FROM users WHERE lower(username) = lower($1) LIMIT 1";
        let mut transaction = self.begin(ATTEMPT).await?;
        let alike = sqlx::query_scalar(ALIKE).bind(text(&user.username)).fetch_optional(&mut *transaction);
        let alike: Option<String> = alike.await.map_err(attempt(ATTEMPT))?;
        if let Some(username) = alike {
            return Err(Conflict::User { username }.into());
        }
        let inserted = sqlx::query(INSERT)
            .bind(text(&user.username))
            .bind(text(user.password_hash.expose()))
            .bind(i64::from(user.is_active))
            .bind(i64::from(user.is_staff))
            .bind(user.create_time)
            .bind(user.last_login_time)
            .execute(&mut *transaction);
        match inserted.await {
            Err(error) if is_taken(&error) => {
                return Err(Conflict::User { username: user.username.clone() }.into());
            }
            inserted => inserted.map_err(attempt(ATTEMPT))?,
        };
        let subject_id = subject::ensure(&mut transaction, &Subject::user(&user.username)).await?;
        for permission in permissions {
            permission::insert(&mut transaction, &subject_id, permission).await?;
        }
        let create_time = now_in_seconds();
        let token = token::insert(&mut transaction, &subject_id, create_time, NewToken::LASTING).await;
        token.map_err(attempt(ATTEMPT))?;
        self.commit(transaction, ATTEMPT, [Change::Access]).await
    }

    /// The user of this name.
    pub async fn user(&self, username: &str) -> Result<User, StoreError> {
        let found = sqlx::query_as("SELECT * FROM users WHERE username = $1").bind(text(username));
        let found = found.fetch_optional(self.reader()).await.map_err(attempt("look for a user"))?;
        found.ok_or_else(|| NotFound::User { username: username.to_owned() }.into())
    }

    /// Every user, by name.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let users = sqlx::query_as("SELECT * FROM users").fetch_all(self.reader()).await;
        let mut users: Vec<User> = users.map_err(attempt("list the users"))?;
        users.sort_unstable_by(|a, b| a.username.cmp(&b.username));
        Ok(users)
    }

    /// Replaces what a user's password is checked against, and ends every token of the user: one that was stolen along
    /// with the password is of no use any more.
    pub async fn set_password_hash(&self, username: &str, hash: &PasswordHash) -> Result<(), StoreError> {
        const ATTEMPT: &str = "change a password";
        let mut transaction = self.begin(ATTEMPT).await?;
        let ended = token::delete_of_user(&mut transaction, username).await;
        ended.map_err(attempt(ATTEMPT))?;
        let query = "UPDATE users SET password_hash = $2 WHERE username = $1";
        let query = sqlx::query(query).bind(text(username)).bind(text(hash.expose()));
        self.change_user(transaction, username, query, ATTEMPT).await
    }

    /// Lets a user in or keeps the user out, tokens included, and makes the user an administrator or not.
    ///
    /// # Errors
    /// [`Conflict::LastAdministrator`] when there would be no active administrator any more.
    pub async fn set_user_flags(
        &self,
        username: &str,
        is_active: bool,
        is_staff: bool,
    ) -> Result<(), StoreError> {
        const ATTEMPT: &str = "change a user";
        let mut transaction = self.begin(ATTEMPT).await?;
        if !(is_active && is_staff) {
            keep_an_administrator(&mut transaction, username, ATTEMPT).await?;
        }
        let query = "UPDATE users SET is_active = $2, is_staff = $3 WHERE username = $1";
        let query =
            sqlx::query(query).bind(text(username)).bind(i64::from(is_active)).bind(i64::from(is_staff));
        self.change_user(transaction, username, query, ATTEMPT).await
    }

    /// Keeps when a user logged in, in seconds since 1970.
    pub async fn note_login(&self, username: &str, time: i64) -> Result<(), StoreError> {
        const ATTEMPT: &str = "note a login";
        let transaction = self.begin(ATTEMPT).await?;
        let query = "UPDATE users SET last_login_time = $2 WHERE username = $1";
        let query = sqlx::query(query).bind(text(username)).bind(time);
        self.change_user(transaction, username, query, ATTEMPT).await
    }

    /// Deletes a user with tokens and permissions.
    ///
    /// # Errors
    /// [`Conflict::LastAdministrator`] when there would be no active administrator any more.
    pub async fn delete_user(&self, username: &str) -> Result<(), StoreError> {
        const ATTEMPT: &str = "delete a user";
        let mut transaction = self.begin(ATTEMPT).await?;
        keep_an_administrator(&mut transaction, username, ATTEMPT).await?;
        let query = sqlx::query("DELETE FROM users WHERE username = $1").bind(text(username));
        self.change_user(transaction, username, query, ATTEMPT).await
    }

    async fn change_user(
        &self,
        mut transaction: Write,
        username: &str,
        query: Query<'static, Any, AnyArguments>,
        what: &'static str,
    ) -> Result<(), StoreError> {
        if query.execute(&mut *transaction).await.map_err(attempt(what))?.rows_affected() == 0 {
            return Err(NotFound::User { username: username.to_owned() }.into());
        }
        self.commit(transaction, what, [Change::Access]).await
    }
}
