//! The key that tokens are signed with: given, or made at the first start and kept in a file.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fmt, io};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::private_folder;

/// The shortest key that is taken, in bytes: that of the hash it is used with.
const MIN_LENGTH: usize = 32;

/// The key. Its `Debug` form does not show it. Whoever has it can make tokens of everybody.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AuthKey(String);

/// A text that is no [`AuthKey`]. The text is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("the auth-key is shorter than {MIN_LENGTH} bytes; make one with `openssl rand -hex 32`")]
pub struct InvalidAuthKey;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum AuthKeyError {
    /// The file cannot be read.
    #[error("cannot read the key of tokens in {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file cannot be made.
    #[error("cannot keep the key of tokens in {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{} does not hold a key of tokens; remove it, and every token stops being good", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: InvalidAuthKey,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes for the key of tokens")]
    Random(#[source] getrandom::Error),
}

impl AuthKey {
    /// The key in the file, which is made when it is not there, for its owner's eyes alone.
    ///
    /// # Errors
    /// [`AuthKeyError`]
    pub fn load_or_create(path: &Path) -> Result<Self, AuthKeyError> {
        match fs_err::read_to_string(path) {
            Ok(text) => {
                let key = text.trim_end().parse();
                key.map_err(|source| AuthKeyError::Invalid { path: path.to_owned(), source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = Self::random().map_err(AuthKeyError::Random)?;
                let written = key.write(path);
                written.map_err(|source| AuthKeyError::Write { path: path.to_owned(), source })?;
                Ok(key)
            }
            Err(source) => Err(AuthKeyError::Read { path: path.to_owned(), source }),
        }
    }

    /// The bytes of the key.
    pub(crate) fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; MIN_LENGTH];
        getrandom::fill(&mut bytes)?;
        Ok(Self(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Writes a new file in one step: a file that is there and empty would be taken for a broken key.
    fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        private_folder::make(folder)?;
        // Files of this kind are made for their owner alone.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        writeln!(file, "{}", self.0)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        Ok(())
    }
}

impl FromStr for AuthKey {
    type Err = InvalidAuthKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() < MIN_LENGTH { Err(InvalidAuthKey) } else { Ok(Self(text.to_owned())) }
    }
}

impl TryFrom<String> for AuthKey {
    type Error = InvalidAuthKey;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Debug for AuthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use racetrack_core::error::chain;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept() {
        let folder = tempfile::tempdir().expect("can be made");
        let path = folder.path().join("state/auth.key");
        let key = AuthKey::load_or_create(&path).expect("is made");
        assert_eq!(AuthKey::load_or_create(&path).expect("is read"), key);
        assert_eq!(key.expose().len(), 43);
        let other = AuthKey::load_or_create(&folder.path().join("other")).expect("is made");
        assert_ne!(other, key);
        assert!(!format!("{key:?}").contains(std::str::from_utf8(key.expose()).expect("is text")));
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().expect("can be made");
        let path = folder.path().join("auth.key");
        AuthKey::load_or_create(&path).expect("is made");
        let mode = std::fs::metadata(&path).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_short_key_is_refused() {
        let folder = tempfile::tempdir().expect("can be made");
        let path = folder.path().join("auth.key");
        std::fs::write(&path, "hunter2\n").expect("can be written");
        let text = chain(&AuthKey::load_or_create(&path).expect_err("is short"));
        assert!(text.contains("auth.key does not hold a key of tokens"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
