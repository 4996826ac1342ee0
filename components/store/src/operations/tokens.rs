//! Making, listing and revoking tokens.

use std::collections::HashMap;

use crate::database::clock::now_in_seconds;
use crate::error::{NotFound, StoreError, attempt};
use crate::memory::change::Change;
use crate::records::row::{name_of, text};
use crate::records::subject::{self, Subject, SubjectKind};
use crate::records::token::{self, NewToken, Token};
use crate::store::Store;

/// How long a token is remembered that has expired, in seconds: whoever shows it is told so.
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
        const ATTEMPT: &str = "replace the tokens";
        let mut transaction = self.begin(ATTEMPT).await?;
        let replaced = async {
            let ids = sqlx::query_scalar("SELECT id FROM subjects WHERE kind = $1").bind(name_of(&kind)?);
            let ids: Vec<String> = ids.fetch_all(&mut *transaction).await?;
            for id in &ids {
                token::delete_all(&mut transaction, id).await?;
                token::insert(&mut transaction, id, now_in_seconds(), NewToken::LASTING).await?;
            }
            Ok(ids.len())
        };
        let count = replaced.await.map_err(attempt(ATTEMPT))?;
        self.commit(transaction, ATTEMPT, [Change::Access]).await?;
        Ok(count)
    }

    /// A token of the subject that is good now and not that of a session; one without expiry is made when there is none.
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
        const ATTEMPT: &str = "revoke a token";
        let mut transaction = self.begin(ATTEMPT).await?;
        let subject_id = subject::ensure(&mut transaction, subject).await?;
        let deleted = sqlx::query("DELETE FROM tokens WHERE id = $1 AND subject_id = $2")
            .bind(text(id))
            .bind(subject_id)
            .execute(&mut *transaction);
        if deleted.await.map_err(attempt(ATTEMPT))?.rows_affected() == 0 {
            return Err(NotFound::Token { id: id.to_owned() }.into());
        }
        self.commit(transaction, ATTEMPT, [Change::Access]).await
    }

    /// Keeps when tokens were last used: ids and times. For a caller that gathers them over a while, as every call is
    /// a write, and copies the table in memory when somebody holds it. Nothing is read again for it.
    pub async fn note_token_uses(&self, uses: &HashMap<String, i64>) -> Result<(), StoreError> {
        const ATTEMPT: &str = "note the use of tokens";
        let mut transaction = self.begin(ATTEMPT).await?;
        for (id, time) in uses {
            let query = "UPDATE tokens SET last_use_time = $2 WHERE id = $1";
            let updated = sqlx::query(query).bind(text(id)).bind(*time).execute(&mut *transaction).await;
            updated.map_err(attempt(ATTEMPT))?;
        }
        self.commit(transaction, ATTEMPT, [Change::TokensUsed(uses.clone())]).await
    }

    pub(crate) async fn add_token(
        &self,
        subject: &Subject,
        new: NewToken,
        in_place_of_all: bool,
    ) -> Result<Token, StoreError> {
        const ATTEMPT: &str = "make a token";
        let mut transaction = self.begin(ATTEMPT).await?;
        let subject_id = subject::ensure(&mut transaction, subject).await?;
        let create_time = now_in_seconds();
        let made = async {
            if in_place_of_all {
                token::delete_all(&mut transaction, &subject_id).await?;
            }
            token::delete_expired(&mut transaction, &subject_id, create_time - EXPIRED_RETENTION).await?;
            token::insert(&mut transaction, &subject_id, create_time, new).await
        };
        let id = made.await.map_err(attempt(ATTEMPT))?;
        self.commit(transaction, ATTEMPT, [Change::Access]).await?;
        let access = self.access().await?;
        let token = access.tokens().find(|token| token.id == id);
        // Somebody may have revoked it meanwhile.
        token.cloned().ok_or_else(|| NotFound::Token { id }.into())
    }
}
