//! Sessions: tokens of users who logged in, which end by themselves or when the user logs out.

use crate::error::{NotFound, StoreError};
use crate::records::subject::Subject;
use crate::records::token::{NewToken, Token};
use crate::store::Store;

impl Store {
    /// Makes the token of a new session of a user, which is good until a time in seconds since 1970.
    ///
    /// # Errors
    /// [`NotFound::User`] when there is no such user.
    pub async fn create_session(&self, username: &str, expiry_time: i64) -> Result<Token, StoreError> {
        let new = NewToken { expiry_time: Some(expiry_time), is_session: true };
        self.add_token(&Subject::user(username), new, false).await
    }

    /// Makes the token of a new session of a user in place of all tokens that the user had.
    ///
    /// # Errors
    /// [`NotFound::User`] when there is no such user.
    pub async fn replace_tokens_by_session(
        &self,
        username: &str,
        expiry_time: i64,
    ) -> Result<Token, StoreError> {
        let new = NewToken { expiry_time: Some(expiry_time), is_session: true };
        self.add_token(&Subject::user(username), new, true).await
    }

    /// The sessions of a user that are not over at a time in seconds since 1970, oldest first.
    pub async fn sessions_of(&self, username: &str, now: i64) -> Result<Vec<Token>, StoreError> {
        let mut tokens = self.tokens_of(&Subject::user(username)).await?;
        tokens.retain(|token| token.is_session && token.expiry_time.is_none_or(|expiry| expiry > now));
        Ok(tokens)
    }

    /// Ends a session of a user.
    ///
    /// # Errors
    /// [`NotFound::Session`] when the user has no such session.
    pub async fn end_session(&self, username: &str, id: &str) -> Result<(), StoreError> {
        let missing = || NotFound::Session { id: id.to_owned() };
        let user = Subject::user(username);
        let mut tokens = self.tokens_of(&user).await?.into_iter();
        if !tokens.any(|token| token.is_session && token.id == id) {
            return Err(missing().into());
        }
        match self.revoke_token(&user, id).await {
            // Somebody else ended it meanwhile.
            Err(StoreError::NotFound(NotFound::Token { .. })) => Err(missing().into()),
            ended => ended,
        }
    }
}
