//! Addresses of git repositories: by which protocols they are fetched here. The rules for every protocol are core's.

use std::fmt;
use std::str::FromStr;

use racetrack_core::git_source;
use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess};

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitProtocol {
    /// `https://…`
    Https,
    /// `http://…`
    Http,
    /// `ssh://…`, or `user@host:path`
    Ssh,
    /// `file://…`, or a path of this machine
    File,
}

/// The protocols that are allowed: `https,http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitProtocols(Vec<GitProtocol>);

/// An address that git may be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GitAddress {
    address: String,
    protocol: GitProtocol,
}

/// A text that is no list of protocols.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a protocol of git; one of https, http, ssh, file")]
pub struct InvalidGitProtocol {
    /// The part of the text that is wrong.
    pub text: String,
}

/// Why git is not given what the `git` part of a manifest says.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GitSourceError {
    #[error(transparent)]
    Rule(#[from] git_source::GitSourceError),
    #[error(
        "git.remote: repositories cannot be fetched by `{protocol}`; the allowed protocols are {allowed}"
    )]
    Protocol { protocol: String, allowed: String },
}

impl GitProtocol {
    const ALL: [Self; 4] = [Self::Https, Self::Http, Self::Ssh, Self::File];

    /// The name as git knows it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::File => "file",
        }
    }
}

impl GitProtocols {
    /// The names with `separator` between them.
    pub(crate) fn join(&self, separator: &str) -> String {
        let names: Vec<_> = self.0.iter().map(|protocol| protocol.name()).collect();
        names.join(separator)
    }
}

impl GitAddress {
    /// Checks the address of a repository.
    pub(crate) fn parse(address: &str, allowed: &GitProtocols) -> Result<Self, GitSourceError> {
        let name = git_source::protocol(address)?;
        let Some(protocol) = allowed.0.iter().find(|protocol| protocol.name() == name).copied() else {
            return Err(GitSourceError::Protocol { protocol: name, allowed: allowed.join(", ") });
        };
        Ok(Self { address: address.to_owned(), protocol })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.address
    }

    /// Whether git reaches it by http or https.
    pub(crate) fn is_http(&self) -> bool {
        matches!(self.protocol, GitProtocol::Https | GitProtocol::Http)
    }

    /// Whether it is a path of this machine, and not a URL.
    pub(crate) fn is_path(&self) -> bool {
        self.protocol == GitProtocol::File && !self.address.contains("://")
    }

    /// Scheme, host and port, for the settings of git that hold for this server only; only for http and https.
    pub(crate) fn server(&self) -> Option<String> {
        let (scheme, rest) = self.address.split_once("://")?;
        let is_http = matches!(self.protocol, GitProtocol::Https | GitProtocol::Http);
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        is_http.then(|| format!("{}://{host}", scheme.to_ascii_lowercase()))
    }
}

impl Default for GitProtocols {
    fn default() -> Self {
        Self(vec![GitProtocol::Https, GitProtocol::Http])
    }
}

impl FromStr for GitProtocol {
    type Err = InvalidGitProtocol;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|protocol| protocol.name() == text.trim());
        named.ok_or_else(|| InvalidGitProtocol { text: text.trim().to_owned() })
    }
}

impl FromStr for GitProtocols {
    type Err = InvalidGitProtocol;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl<'de> Deserialize<'de> for GitProtocols {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = GitProtocols;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of protocols such as [https, http]")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                let mut protocols = Vec::new();
                while let Some(name) = access.next_element::<String>()? {
                    protocols.push(name.parse().map_err(de::Error::custom)?);
                }
                Ok(GitProtocols(protocols))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str, allowed: &str) -> Result<GitAddress, GitSourceError> {
        GitAddress::parse(address, &allowed.parse().expect("valid"))
    }

    #[test]
    fn addresses_of_allowed_protocols_are_taken() {
        for (address, allowed) in [
            ("https://example.com/jobs.git", "https"),
            ("HTTPS://bob@example.com:8443/jobs.git", "https"),
            ("http://127.0.0.1/jobs", "https,http"),
            ("ssh://git@example.com/jobs.git", "ssh"),
            ("git@example.com:team/jobs.git", "ssh"),
            ("file:///srv/jobs", "file"),
            ("/srv/jobs", "file"),
        ] {
            let address = parse(address, allowed);
            assert!(address.is_ok(), "{address:?}");
        }
    }

    #[test]
    fn what_breaks_the_rules_of_every_protocol_is_refused() {
        for address in ["", "--upload-pack=x", "ext::sh", "https://bob:hunter2@example.com/x", "https:///x"] {
            let error = parse(address, "https,http,ssh,file").expect_err(address);
            assert!(matches!(error, GitSourceError::Rule(_)), "{address}: {error}");
        }
    }

    #[test]
    fn protocols_that_are_not_allowed_are_named() {
        for (address, protocol) in [
            ("file:///etc", "file"),
            ("/etc", "file"),
            (".", "file"),
            ("../jobs", "file"),
            ("git@example.com:x", "ssh"),
            ("git://example.com/x", "git"),
            ("ftp://example.com/x", "ftp"),
        ] {
            let error = parse(address, "https,http").expect_err(address).to_string();
            assert_eq!(
                error,
                format!(
                    "git.remote: repositories cannot be fetched by `{protocol}`; the allowed protocols are https, http"
                )
            );
        }
    }

    #[test]
    fn the_server_is_without_user_and_path() {
        let server = |address| parse(address, "https,ssh").expect("valid").server();
        assert_eq!(
            server("https://bob@example.com:8443/jobs.git").as_deref(),
            Some("https://example.com:8443")
        );
        assert_eq!(server("ssh://git@example.com/jobs.git"), None);
    }

    #[test]
    fn protocols_are_read_from_a_text_or_a_list() {
        let both = [GitProtocol::Ssh, GitProtocol::File];
        assert_eq!("ssh, file".parse::<GitProtocols>().expect("valid").0, both);
        let list: GitProtocols = serde_json::from_str(r#"["ssh", "file"]"#).expect("valid");
        assert_eq!(list.0, both);
        assert!("https,ext".parse::<GitProtocols>().expect_err("unknown").to_string().starts_with("`ext`"));
    }
}
