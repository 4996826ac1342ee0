//! Addresses of git repositories: which ones are taken, before git sees them.
//!
//! Git takes more for an address than people expect: options, commands (`ext::`), and folders of this machine.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess};

/// The longest address that is taken, in bytes.
const MAX_LENGTH: usize = 2048;

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
#[error("`{text}` is no protocol of git; one of https, http, ssh, file")]
pub struct InvalidGitProtocol {
    /// The part of the text that is wrong.
    pub text: String,
}

/// Why git is not given an address. The address is not repeated: it may hold a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GitAddressError {
    #[error(
        "the address of the repository is empty, longer than {MAX_LENGTH} bytes, or has spaces or control characters"
    )]
    Malformed,
    #[error("the address of the repository begins with a dash, as options do")]
    Option,
    #[error("the address of the repository names a transport command (`name::…`), which is not allowed")]
    TransportCommand,
    #[error("repositories cannot be fetched by `{protocol}`; the allowed protocols are {allowed}")]
    Protocol { protocol: String, allowed: String },
    #[error(
        "the address of the repository holds a password; take it out, and give git credentials to the client"
    )]
    Password,
    #[error("the address of the repository names no host")]
    NoHost,
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
    pub(crate) fn parse(address: &str, allowed: &GitProtocols) -> Result<Self, GitAddressError> {
        let is_plain = |c: char| !c.is_control() && !c.is_whitespace();
        if address.is_empty() || address.len() > MAX_LENGTH || !address.chars().all(is_plain) {
            return Err(GitAddressError::Malformed);
        }
        if address.starts_with('-') {
            return Err(GitAddressError::Option);
        }
        let (scheme, rest) = match address.split_once("://") {
            Some((scheme, rest)) if !scheme.contains([':', '/']) => (scheme.to_ascii_lowercase(), rest),
            _ => (scheme_of_path(address)?.name().to_owned(), address),
        };
        let named = |protocol: &&GitProtocol| protocol.name() == scheme;
        let Some(protocol) = allowed.0.iter().find(named).copied() else {
            return Err(GitAddressError::Protocol { protocol: scheme, allowed: allowed.join(", ") });
        };
        if protocol != GitProtocol::File {
            check_authority(rest)?;
        }
        Ok(Self { address: address.to_owned(), protocol })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.address
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

/// What git takes an address without a scheme for.
fn scheme_of_path(address: &str) -> Result<GitProtocol, GitAddressError> {
    let before_path = address.split('/').next().unwrap_or_default();
    if before_path.contains("::") {
        return Err(GitAddressError::TransportCommand);
    }
    Ok(if before_path.contains(':') { GitProtocol::Ssh } else { GitProtocol::File })
}

fn check_authority(rest: &str) -> Result<(), GitAddressError> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.contains(':') {
        return Err(GitAddressError::Password);
    }
    // Neither ssh nor git may take a user or a host for an option.
    if host.is_empty() || host.starts_with(['-', ':']) || user.starts_with('-') {
        return Err(GitAddressError::NoHost);
    }
    Ok(())
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

    fn parse(address: &str, allowed: &str) -> Result<GitAddress, GitAddressError> {
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
    fn the_rest_is_refused() {
        use GitAddressError::{Malformed, NoHost, Option, Password, TransportCommand};
        for (address, error) in [
            ("", Malformed),
            ("https://example.com/a b", Malformed),
            ("https://example.com/a\nb", Malformed),
            ("--upload-pack=touch /tmp/x", Malformed),
            ("--upload-pack=x", Option),
            ("-oProxyCommand=x", Option),
            ("ext::sh", TransportCommand),
            ("ext::https://example.com/x", TransportCommand),
            ("fd::7", TransportCommand),
            ("https://bob:hunter2@example.com/x", Password),
            ("https://:@example.com/x", Password),
            ("https:///x", NoHost),
            ("https://-x/y", NoHost),
            ("ssh://-oProxyCommand=x/y", NoHost),
            ("-oX@example.com:y", Option),
            ("ssh://-oX@example.com/y", NoHost),
        ] {
            assert_eq!(parse(address, "https,http,ssh"), Err(error), "{address}");
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
                    "repositories cannot be fetched by `{protocol}`; the allowed protocols are https, http"
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
