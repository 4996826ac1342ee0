//! Encryption of what is kept on disk and must not be read there.

use std::fmt;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::state::file::{self, StateError};
use crate::system::random::random;

const KEY_LENGTH: usize = 32;
/// Long enough for nonces to be random: no count of them has to be kept.
const NONCE_LENGTH: usize = 24;

/// Seals and opens files. What a file is for is sealed with it, so that one cannot be put in the place of another.
pub(crate) struct Seal {
    cipher: XChaCha20Poly1305,
}

/// Why a sealed file cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the key file {} must hold {KEY_LENGTH} bytes, not {length}", path.display())]
    Key { path: PathBuf, length: usize },
    #[error("{} was not sealed with this key for this purpose, or is damaged", path.display())]
    Unreadable { path: PathBuf },
}

impl Seal {
    /// The seal whose key is in a file. With `make`, the file is made if it is not there.
    pub(crate) fn load(key_file: &Path, make: bool) -> Result<Self, SealError> {
        if make && !key_file.exists() {
            // Of several that make the key at once, one wins; all then read that one.
            file::create_atomically(key_file, &random::<KEY_LENGTH>())?;
        }
        let key = file::read(key_file)?;
        let cipher = XChaCha20Poly1305::new_from_slice(&key)
            .map_err(|_| SealError::Key { path: key_file.to_owned(), length: key.len() })?;
        Ok(Self { cipher })
    }

    /// Seals a value for a purpose and writes it.
    pub(crate) fn write(&self, path: &Path, purpose: &str, value: &impl Serialize) -> Result<(), SealError> {
        let plain = serde_json::to_vec(value).expect("a map of texts is JSON");
        let nonce = random::<NONCE_LENGTH>();
        let payload = Payload { msg: &plain, aad: purpose.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).expect("the text is short enough");
        file::write_atomically(path, &[&nonce[..], &sealed].concat())?;
        Ok(())
    }

    /// Reads a value that was sealed for the same purpose.
    pub(crate) fn read<T: DeserializeOwned>(&self, path: &Path, purpose: &str) -> Result<T, SealError> {
        let content = file::read(path)?;
        let unreadable = || SealError::Unreadable { path: path.to_owned() };
        let (nonce, sealed) = content.split_first_chunk::<NONCE_LENGTH>().ok_or_else(unreadable)?;
        let payload = Payload { msg: sealed, aad: purpose.as_bytes() };
        let plain = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| unreadable())?;
        serde_json::from_slice(&plain).map_err(|_| unreadable())
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_sealed_file_opens_for_its_purpose_with_its_key_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (key, file) = (folder.path().join("key"), folder.path().join("file"));
        let seal = Seal::load(&key, true).unwrap();
        seal.write(&file, "a", &"hunter2").unwrap();
        assert_eq!(Seal::load(&key, true).unwrap().read::<String>(&file, "a").unwrap(), "hunter2");
        assert!(seal.read::<String>(&file, "b").is_err());
        assert!(Seal::load(&folder.path().join("key 2"), true).unwrap().read::<String>(&file, "a").is_err());

        let mut content = std::fs::read(&file).unwrap();
        assert!(!content.windows(7).any(|window| window == b"hunter2"));
        *content.last_mut().unwrap() ^= 1;
        std::fs::write(&file, content).unwrap();
        assert!(seal.read::<String>(&file, "a").unwrap_err().to_string().contains("damaged"));
        std::fs::write(&file, b"short").unwrap();
        assert!(seal.read::<String>(&file, "a").is_err());
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_of_the_wrong_length_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, b"short").unwrap();
        let error = Seal::load(&key, false).unwrap_err().to_string();
        assert!(error.contains("must hold 32 bytes, not 5"), "{error}");
    }
}
