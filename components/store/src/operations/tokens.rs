//! Making, listing and revoking tokens.

use std::collections::HashMap;

use crate::database::clock::now_in_seconds;
use crate::error::{NotFound, StoreError};
use crate::memory::change::Change;
use crate::records::subject::{self, Subject, SubjectKind};
use crate::records::token::{self, NewToken, Token};
use crate::store::Store;
use crate::transaction::commit;

/// How long a token is remembered that has expired, in seconds: the refusal says so.
const EXPIRED_RETENTION: i64 = 7 * 24 * 60 * 60;

impl Store {
    /// Makes another token for a subject, and forgets those that expired a week ago.
    ///
    /// # Errors
    /// [`NotFound`] when the subject is not there.
    pub async fn create_token(
        &self,
        subject: &Subject,
        expiry_time: Option<i64>,
    ) -> Result<Token, StoreError> {
        self.add_token(subject, NewToken { expiry_time, is_session: false }, false).await
    }

    /// Makes a token for a subject in place of all it had.
    ///
    /// # Errors
    /// [`NotFound`] when the subject is not there.
    pub async fn replace_tokens(
        &self,
        subject: &Subject,
        expiry_time: Option<i64>,
    ) -> Result<Token, StoreError> {
        self.add_token(subject, NewToken { expiry_time, is_session: false }, true).await
    }

    /// Makes a token, without expiry, for each subject of a kind in place of all they had; says for how many.
    pub async fn replace_all_tokens(&self, kind: SubjectKind) -> Result<usize, StoreError> {
        let replaced = self.write("replace the tokens", async |transaction| {
            let ids = subject::ids_of_kind(transaction, kind).await?;
            for id in &ids {
                token::delete_all(transaction, id).await?;
                token::insert(transaction, id, now_in_seconds(), NewToken::LASTING).await?;
            }
            Ok(commit(ids.len(), [Change::Access]))
        });
        replaced.await
    }

    /// A token of the subject that is good now and not that of a session; one without expiry is made when
    /// there is none.
    ///
    /// # Errors
    /// [`NotFound`] when the subject is not there.
    pub async fn token_for(&self, subject: &Subject) -> Result<Token, StoreError> {
        let now = now_in_seconds();
        let mut tokens = self.tokens_of(subject).await?.into_iter();
        let good = tokens.find(|token| !token.is_session && token.check(now).is_ok());
        match good {
            Some(token) => Ok(token),
            None => self.create_token(subject, None).await,
        }
    }

    /// The tokens of a subject, oldest first.
    pub async fn tokens_of(&self, subject: &Subject) -> Result<Vec<Token>, StoreError> {
        let access = self.access().await?;
        let mut tokens: Vec<Token> =
            access.tokens().filter(|token| token.subject == *subject).cloned().collect();
        tokens.sort_unstable_by(|a, b| a.create_time.cmp(&b.create_time).then_with(|| a.id.cmp(&b.id)));
        Ok(tokens)
    }

    /// Deletes a token of a subject.
    ///
    /// # Errors
    /// [`NotFound::Token`] when the subject has no such token.
    pub async fn revoke_token(&self, subject: &Subject, id: &str) -> Result<(), StoreError> {
        let revoked = self.write("revoke a token", async |transaction| {
            let subject_id = subject::ensure(transaction, subject).await?;
            if !token::delete(transaction, &subject_id, id).await? {
                return Err(NotFound::Token { id: id.to_owned() }.into());
            }
            Ok(commit((), [Change::Access]))
        });
        revoked.await
    }

    /// Keeps when tokens were last used: ids and times. For a caller that gathers them over a while, as every
    /// call is a write, and copies the table in memory when somebody holds it. Nothing is read again for it.
    pub async fn note_token_uses(&self, uses: &HashMap<String, i64>) -> Result<(), StoreError> {
        let noted = self.write("note the use of tokens", async |transaction| {
            for (id, time) in uses {
                token::set_use_time(transaction, id, *time).await?;
            }
            Ok(commit((), [Change::TokensUsed(uses.clone())]))
        });
        noted.await
    }

    pub(crate) async fn add_token(
        &self,
        subject: &Subject,
        new: NewToken,
        in_place_of_all: bool,
    ) -> Result<Token, StoreError> {
        let made = self.write("make a token", async |transaction| {
            let subject_id = subject::ensure(transaction, subject).await?;
            let create_time = now_in_seconds();
            if in_place_of_all {
                token::delete_all(transaction, &subject_id).await?;
            }
            token::delete_expired(transaction, &subject_id, create_time - EXPIRED_RETENTION).await?;
            let id = token::insert(transaction, &subject_id, create_time, new).await?;
            Ok(commit(id, [Change::Access]))
        });
        let id = made.await?;
        let access = self.access().await?;
        let token = access.tokens().find(|token| token.id == id);
        // Somebody may have revoked it meanwhile.
        token.cloned().ok_or_else(|| NotFound::Token { id }.into())
    }
}
