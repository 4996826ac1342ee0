//! Registering, changing and deleting users.

use crate::database::clock::now_in_seconds;
use crate::database::limited_connection::LimitedConnection;
use crate::error::{Conflict, NotFound, StoreError, attempt, is_taken};
use crate::memory::change::Change;
use crate::records::permission::{self, Permission};
use crate::records::row::text;
use crate::records::subject::{self, Subject};
use crate::records::token::{self, NewToken};
use crate::records::user::{self, PasswordHash, User};
use crate::store::Store;
use crate::transaction::{WorkError, commit};

impl Store {
    /// Adds a user with permissions and a first token, all or nothing.
    ///
    /// # Errors
    /// [`Conflict::User`] when there is a user of that name, or of one that differs in case alone. Databases
    /// from before may have such users.
    pub async fn create_user(&self, user: &User, permissions: &[Permission]) -> Result<(), StoreError> {
        let added = self.write("add a user", async |transaction| {
            if let Some(username) = user::name_alike(transaction, &user.username).await? {
                return Err(Conflict::User { username }.into());
            }
            match user::insert(transaction, user).await {
                Err(error) if is_taken(&error) => {
                    return Err(Conflict::User { username: user.username.clone() }.into());
                }
                inserted => inserted?,
            }
            let subject_id = subject::ensure(transaction, &Subject::user(&user.username)).await?;
            for permission in permissions {
                permission::insert(transaction, &subject_id, permission).await?;
            }
            token::insert(transaction, &subject_id, now_in_seconds(), NewToken::LASTING).await?;
            Ok(commit((), [Change::Access]))
        });
        added.await
    }

    /// The user of this name.
    pub async fn user(&self, username: &str) -> Result<User, StoreError> {
        let found = user::find(self.reader(), username).await.map_err(attempt("look for a user"))?;
        found.ok_or_else(|| missing(username).into())
    }

    /// Every user, by name.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let mut users = user::all(self.reader()).await.map_err(attempt("list the users"))?;
        users.sort_unstable_by(|a, b| a.username.cmp(&b.username));
        Ok(users)
    }

    /// Replaces what a user's password is checked against, and ends every token of the user: one that was
    /// stolen along with the password is of no use any more.
    pub async fn set_password_hash(&self, username: &str, hash: &PasswordHash) -> Result<(), StoreError> {
        let set = self.write("change a password", async |transaction| {
            token::delete_of_user(transaction, username).await?;
            if !user::set_password_hash(transaction, username, hash).await? {
                return Err(missing(username).into());
            }
            Ok(commit((), [Change::Access]))
        });
        set.await
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
        let set = self.write("change a user", async |transaction| {
            if !(is_active && is_staff) {
                keep_an_administrator(transaction, username).await?;
            }
            if !user::set_flags(transaction, username, is_active, is_staff).await? {
                return Err(missing(username).into());
            }
            Ok(commit((), [Change::Access]))
        });
        set.await
    }

    /// Keeps when a user logged in, in seconds since 1970.
    pub async fn note_login(&self, username: &str, time: i64) -> Result<(), StoreError> {
        let noted = self.write("note a login", async |transaction| {
            if !user::set_login_time(transaction, username, time).await? {
                return Err(missing(username).into());
            }
            Ok(commit((), [Change::Access]))
        });
        noted.await
    }

    /// Deletes a user with tokens and permissions.
    ///
    /// # Errors
    /// [`Conflict::LastAdministrator`] when there would be no active administrator any more.
    pub async fn delete_user(&self, username: &str) -> Result<(), StoreError> {
        let deleted = self.write("delete a user", async |transaction| {
            keep_an_administrator(transaction, username).await?;
            if !user::delete(transaction, username).await? {
                return Err(missing(username).into());
            }
            Ok(commit((), [Change::Access]))
        });
        deleted.await
    }
}

/// Refuses what would make an end of the last active administrator.
async fn keep_an_administrator(connection: &mut LimitedConnection, username: &str) -> Result<(), WorkError> {
    if user::some_administrators(connection).await? == [text(username)] {
        return Err(Conflict::LastAdministrator { username: username.to_owned() }.into());
    }
    Ok(())
}

fn missing(username: &str) -> NotFound {
    NotFound::User { username: username.to_owned() }
}
