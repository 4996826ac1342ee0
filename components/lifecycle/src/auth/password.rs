//! Passwords: hashed with argon2id, with a salt and the parameters in the hash.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc};
use racetrack_store::PasswordHash;
use tokio::sync::Semaphore;

/// The shortest password that is taken, in characters.
const MIN_LENGTH: usize = 8;

/// The longest password that is taken, in bytes.
const MAX_LENGTH: usize = 1024;

/// A hash takes 19 MiB of memory, so only so many are made at once; further ones wait in line.
const AT_ONCE: usize = 2;

/// Hashes and checks passwords, on threads where that disturbs no request. Clones share their line.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    line: Arc<Semaphore>,
    /// What passwords of users who are not there are checked against, so that they take as long.
    nobody: PasswordHash,
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
    #[error("the thread that hashes passwords ended")]
    Thread(#[source] tokio::task::JoinError),
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let nobody = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWlzLWhlcmU$\
                      AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        Self { line: Arc::new(Semaphore::new(AT_ONCE)), nobody: PasswordHash::new(nobody) }
    }

    /// The hash of a password that may be used.
    pub(crate) async fn hash(&self, password: String) -> Result<PasswordHash, PasswordError> {
        if password.chars().count() < MIN_LENGTH {
            return Err(PasswordError::TooShort);
        }
        if password.len() > MAX_LENGTH {
            return Err(PasswordError::TooLong);
        }
        let hashed = self.in_line(move || Argon2::default().hash_password(password.as_bytes())).await?;
        let hashed = hashed.map_err(PasswordError::Hash)?;
        Ok(PasswordHash::new(hashed.to_string()))
    }

    /// Whether the password is the one of the hash; without a hash, no.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<PasswordHash>,
    ) -> Result<bool, PasswordError> {
        if password.len() > MAX_LENGTH {
            return Ok(false);
        }
        let is_somebody = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        let verified = self.in_line(move || {
            let hash = phc::PasswordHash::new(hash.expose());
            hash.is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        });
        Ok(verified.await? && is_somebody)
    }

    async fn in_line<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let turn = Arc::clone(&self.line).acquire_owned().await.expect("the line is never closed");
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        work.await.map_err(PasswordError::Thread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_hash_only() {
        let passwords = Passwords::new();
        let hash = passwords.hash("correct horse".to_owned()).await.expect("is hashed");
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
        let verify = |password: &str, hash| passwords.verify(password.to_owned(), hash);
        assert!(verify("correct horse", Some(hash.clone())).await.expect("is checked"));
        assert!(!verify("wrong horse", Some(hash.clone())).await.expect("is checked"));
        assert!(!verify("correct horse", None).await.expect("is checked"));
        assert!(!verify("x", Some(PasswordHash::new("no hash"))).await.expect("is checked"));
        let again = passwords.hash("correct horse".to_owned()).await.expect("is hashed");
        assert_ne!(again.expose(), hash.expose(), "each has a salt of its own");
    }

    #[tokio::test]
    async fn short_and_endless_passwords_are_refused() {
        let passwords = Passwords::new();
        let refused =
            async |password: String| passwords.hash(password).await.expect_err("is refused").to_string();
        assert_eq!(refused("hunter2".to_owned()).await, "a password has 8 characters at least");
        assert_eq!(refused("x".repeat(2000)).await, "a password has 1024 bytes at most");
        let endless = passwords.verify("x".repeat(2000), None).await;
        assert!(!endless.expect("is checked"));
    }
}
