//! Passwords: hashed with argon2id, with a salt and the parameters in the hash.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc};
use axum::http::StatusCode;
use racetrack_service::ApiError;
use racetrack_store::PasswordHash;
use tokio::sync::Semaphore;

use crate::request_error::RequestError;

/// The shortest password that is taken, in characters.
const MIN_LENGTH: usize = 8;

/// The longest password that is taken, in bytes.
const MAX_LENGTH: usize = 1024;

/// A hash takes 19 MiB of memory, so only so many are made at once; further ones wait in line.
const AT_ONCE: usize = 2;

/// So many wait at most, of those who are known and of all others each. Who finds the line full is asked to come again.
const MAX_WAITING: usize = 24;

/// How soon.
const AGAIN_IN: Duration = Duration::from_secs(1);

/// Hashes and checks passwords, on threads where that disturbs no request. Clones share their line.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    work: Arc<Semaphore>,
    lines: Arc<[Semaphore; 2]>,
    /// What passwords of users who are not there are checked against, so that they take as long.
    nobody: PasswordHash,
}

/// Whose password it is. Neither takes the places in line of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Of somebody who has shown before to know it.
    Known,
    /// Of anybody.
    Unknown,
}

/// Why a password is not taken, or not hashed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("a password has {MIN_LENGTH} characters at least")]
    TooShort,
    #[error("a password has {MAX_LENGTH} bytes at most")]
    TooLong,
    #[error("cannot hash a password")]
    Hash(#[source] argon2::password_hash::Error),
    #[error("too many passwords are being checked; try again in a moment")]
    Busy,
    #[error("the thread that hashes passwords ended")]
    Thread(#[source] tokio::task::JoinError),
}

/// Whether a password may be used.
pub(crate) fn check(password: &str) -> Result<(), PasswordError> {
    if password.chars().count() < MIN_LENGTH {
        return Err(PasswordError::TooShort);
    }
    if password.len() > MAX_LENGTH {
        return Err(PasswordError::TooLong);
    }
    Ok(())
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let nobody = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWlzLWhlcmU$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let line = || Semaphore::new(AT_ONCE + MAX_WAITING);
        Self {
            work: Arc::new(Semaphore::new(AT_ONCE)),
            lines: Arc::new([line(), line()]),
            nobody: PasswordHash::new(nobody),
        }
    }

    /// The hash of a password that may be used.
    pub(crate) async fn hash(&self, line: Line, password: String) -> Result<PasswordHash, PasswordError> {
        check(&password)?;
        let hashed = self.in_line(line, move || Argon2::default().hash_password(password.as_bytes())).await?;
        let hashed = hashed.map_err(PasswordError::Hash)?;
        Ok(PasswordHash::new(hashed.to_string()))
    }

    /// Whether the password is the one of the hash; without a hash, no.
    pub(crate) async fn verify(
        &self,
        line: Line,
        password: String,
        hash: Option<PasswordHash>,
    ) -> Result<bool, PasswordError> {
        if password.len() > MAX_LENGTH {
            return Ok(false);
        }
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let verified = self.in_line(line, move || {
            let hash = phc::PasswordHash::new(hash.expose());
            hash.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        });
        Ok(verified.await? && is_somebody)
    }

    async fn in_line<T: Send + 'static>(
        &self,
        line: Line,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _place = self.lines[line as usize].try_acquire().map_err(|_| PasswordError::Busy)?;
        let turn = Arc::clone(&self.work).acquire_owned().await.expect("the line is never closed");
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        work.await.map_err(PasswordError::Thread)
    }
}

impl From<PasswordError> for RequestError {
    /// Rules of passwords are reported to the caller.
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::TooShort | PasswordError::TooLong => ApiError::invalid(error.to_string()).into(),
            PasswordError::Busy => {
                let busy =
                    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "TooManyRequests", error.to_string());
                busy.retry_after(AGAIN_IN).into()
            }
            PasswordError::Hash(_) | PasswordError::Thread(_) => ApiError::internal(error).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_hash_only() {
        let passwords = Passwords::new();
        let hash = passwords.hash(Line::Unknown, "correct horse".to_owned()).await.expect("is hashed");
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
        let verify = |password: &str, hash| passwords.verify(Line::Unknown, password.to_owned(), hash);
        assert!(verify("correct horse", Some(hash.clone())).await.expect("is checked"));
        assert!(!verify("wrong horse", Some(hash.clone())).await.expect("is checked"));
        assert!(!verify("correct horse", None).await.expect("is checked"));
        assert!(!verify("x", Some(PasswordHash::new("no hash"))).await.expect("is checked"));
        let again = passwords.hash(Line::Unknown, "correct horse".to_owned()).await.expect("is hashed");
        assert_ne!(again.expose(), hash.expose(), "each has a salt of its own");
    }

    #[tokio::test]
    async fn short_and_endless_passwords_are_refused() {
        let passwords = Passwords::new();
        let refused = async |password: String| {
            passwords.hash(Line::Unknown, password).await.expect_err("is refused").to_string()
        };
        assert_eq!(refused("hunter2".to_owned()).await, "a password has 8 characters at least");
        assert_eq!(refused("x".repeat(2000)).await, "a password has 1024 bytes at most");
        let endless = passwords.verify(Line::Unknown, "x".repeat(2000), None).await;
        assert!(!endless.expect("is checked"));
    }
    #[tokio::test]
    async fn the_line_has_an_end_and_those_who_are_known_their_own() {
        let passwords = Passwords::new();
        let guess = |line| passwords.verify(line, "wrong horse".to_owned(), None);
        let (guesses, known) =
            tokio::join!(join_all((0..150).map(|_| guess(Line::Unknown))), guess(Line::Known));
        let busy = guesses.iter().filter(|guess| matches!(guess, Err(PasswordError::Busy))).count();
        assert_eq!(busy, 150 - AT_ONCE - MAX_WAITING);
        known.expect("is checked");
        guess(Line::Unknown).await.expect("the line is empty again");
    }
}
