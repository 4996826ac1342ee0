//! Where the database is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use url::Url;

use crate::error::StoreError;

/// The address of a database: `sqlite:PATH`, `sqlite::memory:` or `postgres://USER:PASSWORD@HOST/NAME`.
///
/// Its `Display` and `Debug` forms leave the password out.
///
/// ```
/// use racetrack_store::DatabaseUrl;
///
/// let url: DatabaseUrl = "postgres://racetrack:hunter2@127.0.0.1/racetrack".parse().unwrap();
/// assert_eq!(url.to_string(), "postgres://racetrack@127.0.0.1/racetrack");
/// assert!("mysql://127.0.0.1".parse::<DatabaseUrl>().is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Address);

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Memory,
    File(PathBuf),
    Postgres(Url),
}

/// A text that is not a [`DatabaseUrl`]. The text is not repeated, for it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a database URL is `sqlite:PATH`, `sqlite::memory:` or `postgres://USER:PASSWORD@HOST:PORT/NAME`, and \
     this is none"
)]
pub struct InvalidDatabaseUrl;

impl DatabaseUrl {
    /// A SQLite database that lives as long as the store that opens it.
    pub const fn memory() -> Self {
        Self(Address::Memory)
    }

    /// The SQLite database in the file at `path`, which is made when it is not there.
    pub fn file(path: &Path) -> Self {
        Self(Address::File(path.to_owned()))
    }

    pub(crate) const fn address(&self) -> &Address {
        &self.0
    }

    /// Names the database that cannot be opened.
    pub(crate) fn cannot_open(&self) -> impl FnOnce(sqlx::Error) -> StoreError {
        let database = self.to_string();
        move |source| StoreError::Open { database, source }
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            return match path {
                "" => Err(InvalidDatabaseUrl),
                ":memory:" => Ok(Self::memory()),
                path => Ok(Self::file(Path::new(path))),
            };
        }
        let url = Url::parse(text).map_err(|_| InvalidDatabaseUrl)?;
        if !["postgres", "postgresql"].contains(&url.scheme()) {
            return Err(InvalidDatabaseUrl);
        }
        Ok(Self(Address::Postgres(url)))
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Memory => f.write_str("sqlite::memory:"),
            Address::File(path) => write!(f, "sqlite:{}", path.display()),
            // Parameters may hold a password as well, so they are left out whole.
            Address::Postgres(url) => {
                write!(f, "{}://", url.scheme())?;
                if !url.username().is_empty() {
                    write!(f, "{}@", url.username())?;
                }
                f.write_str(url.host_str().unwrap_or_default())?;
                if let Some(port) = url.port() {
                    write!(f, ":{port}")?;
                }
                f.write_str(url.path())
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read() {
        let shown = |text: &str| text.parse::<DatabaseUrl>().map(|url| url.to_string());
        assert_eq!(shown("sqlite::memory:").as_deref(), Ok("sqlite::memory:"));
        assert_eq!(shown("sqlite:data/racetrack.db").as_deref(), Ok("sqlite:data/racetrack.db"));
        assert_eq!(shown("sqlite:///var/a b?.db").as_deref(), Ok("sqlite:/var/a b?.db"));
        assert_eq!(shown("postgresql://h:5433/db").as_deref(), Ok("postgresql://h:5433/db"));
        for text in ["", "sqlite:", "sqlite://", "racetrack.db", "mysql://u:p@h/db", "postgres"] {
            assert_eq!(shown(text), Err(InvalidDatabaseUrl), "{text:?}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        let url: DatabaseUrl =
            "postgres://bob:hunter2@db.example/racetrack?password=hunter2".parse().expect("is a URL");
        let shown = format!("{url} {url:?}");
        assert!(shown.contains("bob@db.example") && !shown.contains("hunter2"), "{shown}");
    }
}
