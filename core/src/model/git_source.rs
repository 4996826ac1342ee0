//! Where the source of a job is: which places in git repositories are taken, before git sees them.
//!
//! Git takes more for an address than people expect: options, commands (`ext::`), and folders of the machine it runs on.
//! The rules here hold whatever protocols an installation allows.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

/// The longest address of a repository, in bytes.
const MAX_REMOTE_LENGTH: usize = 2048;

/// The longest name of a branch, in bytes.
const MAX_BRANCH_LENGTH: usize = 255;

/// The longest path of a folder in a repository, in bytes.
const MAX_DIRECTORY_LENGTH: usize = 1024;

/// How much of a wrong value is repeated, in characters.
const MAX_SHOWN: usize = 255;

/// The protocol of paths of the machine that git runs on.
const FILE: &str = "file";

/// Where the source of a job is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitSource {
    /// The address of the repository.
    pub remote: String,
    /// The branch; the repository's default one without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The folder of the job inside the repository.
    #[serde(default = "default_directory")]
    pub directory: String,
}

/// Why git is not given what the `git` part of a manifest says. An address is never repeated: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GitSourceError {
    /// The address is no word of a fitting length.
    #[error(
        "git.remote: the address of the repository is empty, longer than {MAX_REMOTE_LENGTH} bytes, or has spaces or \
         control characters"
    )]
    Malformed,
    /// Git would take the address for an option.
    #[error("git.remote: the address of the repository begins with a dash, as options do")]
    Option,
    /// Git would run a command.
    #[error(
        "git.remote: the address of the repository names a transport command (`name::…`), which is not allowed"
    )]
    TransportCommand,
    /// The address holds a password, which everybody would see who sees the manifest.
    #[error(
        "git.remote: the address of the repository holds a password; take it out, and give git credentials to the \
         client"
    )]
    Password,
    /// The address names no host, or one that would be taken for an option.
    #[error("git.remote: the address of the repository names no host")]
    NoHost,
    /// This is not the name of a branch.
    #[error("git.branch: {0:?} is not the name of a branch")]
    Branch(String),
    /// This leads out of the repository.
    #[error("git.directory: {0:?} is no path that stays inside the repository")]
    Directory(String),
}

impl GitSource {
    /// Checks every part.
    ///
    /// ```
    /// use racetrack_core::git_source::{GitSource, GitSourceError};
    ///
    /// let source = GitSource {
    ///     remote: "https://example.com/jobs.git".to_owned(),
    ///     branch: Some("-b".to_owned()),
    ///     directory: "..".to_owned(),
    /// };
    /// let broken = [GitSourceError::Branch("-b".to_owned()), GitSourceError::Directory("..".to_owned())];
    /// assert_eq!(source.check(), Err(Vec::from(broken)));
    /// ```
    ///
    /// # Errors
    /// Every rule that is broken.
    pub fn check(&self) -> Result<(), Vec<GitSourceError>> {
        let branch = self.branch.as_deref().map_or(Ok(()), check_branch);
        let checked = [protocol(&self.remote).map(drop), branch, check_directory(&self.directory)];
        let broken: Vec<_> = checked.into_iter().filter_map(Result::err).collect();
        if broken.is_empty() { Ok(()) } else { Err(broken) }
    }
}

/// The protocol by which git reaches an address, in lower case.
///
/// ```
/// use racetrack_core::git_source::{GitSourceError, protocol};
///
/// assert_eq!(protocol("HTTPS://example.com/jobs.git").as_deref(), Ok("https"));
/// assert_eq!(protocol("git@example.com:team/jobs.git").as_deref(), Ok("ssh"));
/// assert_eq!(protocol("/srv/jobs").as_deref(), Ok("file"));
/// assert_eq!(protocol("https://bob:hunter2@example.com/x"), Err(GitSourceError::Password));
/// assert_eq!(protocol("ext::sh"), Err(GitSourceError::TransportCommand));
/// ```
///
/// # Errors
/// Why git is not to see the address.
pub fn protocol(remote: &str) -> Result<String, GitSourceError> {
    if remote.is_empty() || remote.len() > MAX_REMOTE_LENGTH || !is_word(remote) {
        return Err(GitSourceError::Malformed);
    }
    if remote.starts_with('-') {
        return Err(GitSourceError::Option);
    }
    let (scheme, rest) = match remote.split_once("://") {
        Some((scheme, rest)) if !scheme.contains([':', '/']) => (scheme.to_ascii_lowercase(), rest),
        _ => (protocol_of_path(remote)?.to_owned(), remote),
    };
    if scheme != FILE {
        check_authority(rest)?;
    }
    Ok(scheme)
}

/// What an address of http or https tells the server about who calls: a name, or a token, which is nobody else's business.
///
/// ```
/// use racetrack_core::git_source::user;
///
/// assert_eq!(user("https://t0ken@example.com/jobs.git"), Some("t0ken"));
/// assert_eq!(user("https://example.com/jobs.git"), None);
/// assert_eq!(user("ssh://git@example.com/jobs.git"), None);
/// ```
pub fn user(remote: &str) -> Option<&str> {
    let (scheme, rest) = remote.split_once("://")?;
    let is_http = ["http", "https"].iter().any(|http| scheme.eq_ignore_ascii_case(http));
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    is_http.then_some(user)
}

/// Checks the name of a branch as far as it could be taken for something else. Git has further rules for names.
///
/// ```
/// use racetrack_core::git_source::check_branch;
///
/// assert!(check_branch("feature/x").is_ok());
/// assert!(check_branch("--upload-pack=x").is_err());
/// ```
///
/// # Errors
/// [`GitSourceError::Branch`]
pub fn check_branch(branch: &str) -> Result<(), GitSourceError> {
    let has_length = (1..=MAX_BRANCH_LENGTH).contains(&branch.len());
    if has_length && !branch.starts_with('-') && is_word(branch) {
        Ok(())
    } else {
        Err(GitSourceError::Branch(shown(branch)))
    }
}

/// Checks the path of a folder in a repository. Whether a link there leads out of it is seen once it is fetched.
///
/// ```
/// use racetrack_core::git_source::check_directory;
///
/// assert!(check_directory("./jobs/adder").is_ok());
/// assert!(check_directory("jobs/../..").is_err());
/// ```
///
/// # Errors
/// [`GitSourceError::Directory`]
pub fn check_directory(directory: &str) -> Result<(), GitSourceError> {
    let stays = |part| matches!(part, Component::CurDir | Component::Normal(_));
    let has_control = directory.chars().any(char::is_control);
    if Path::new(directory).components().all(stays) && !has_control && directory.len() <= MAX_DIRECTORY_LENGTH
    {
        Ok(())
    } else {
        Err(GitSourceError::Directory(shown(directory)))
    }
}

/// What git takes an address without a scheme for.
fn protocol_of_path(remote: &str) -> Result<&'static str, GitSourceError> {
    let before_path = remote.split('/').next().unwrap_or_default();
    if before_path.contains("::") {
        return Err(GitSourceError::TransportCommand);
    }
    Ok(if before_path.contains(':') { "ssh" } else { FILE })
}

fn check_authority(rest: &str) -> Result<(), GitSourceError> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.contains(':') {
        return Err(GitSourceError::Password);
    }
    // Neither ssh nor git may take a user or a host for an option.
    if host.is_empty() || host.starts_with(['-', ':']) || user.starts_with('-') {
        return Err(GitSourceError::NoHost);
    }
    Ok(())
}

fn is_word(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() && !c.is_whitespace())
}

fn shown(value: &str) -> String {
    value.chars().take(MAX_SHOWN).collect()
}

fn default_directory() -> String {
    ".".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_protocols() {
        for (remote, expected) in [
            ("https://example.com/jobs.git", "https"),
            ("HTTPS://bob@example.com:8443/jobs.git", "https"),
            ("http://127.0.0.1/jobs", "http"),
            ("ssh://git@example.com/jobs.git", "ssh"),
            ("git@example.com:team/jobs.git", "ssh"),
            ("git://example.com/x", "git"),
            ("file:///srv/jobs", "file"),
            ("/srv/jobs", "file"),
            ("../jobs", "file"),
            (".", "file"),
        ] {
            assert_eq!(protocol(remote).as_deref(), Ok(expected), "{remote}");
        }
    }

    #[test]
    fn hostile_addresses_are_refused() {
        use GitSourceError::{Malformed, NoHost, Option, Password, TransportCommand};
        for (remote, error) in [
            ("", Malformed),
            (&*"a".repeat(MAX_REMOTE_LENGTH + 1), Malformed),
            ("https://example.com/a b", Malformed),
            ("https://example.com/a\nb", Malformed),
            ("--upload-pack=touch /tmp/x", Malformed),
            ("--upload-pack=x", Option),
            ("-oProxyCommand=x", Option),
            ("-oX@example.com:y", Option),
            ("ext::sh", TransportCommand),
            ("ext::https://example.com/x", TransportCommand),
            ("fd::7", TransportCommand),
            ("https://bob:hunter2@example.com/x", Password),
            ("https://:@example.com/x", Password),
            ("ftp://bob:hunter2@example.com/x", Password),
            ("bob:hunter2@example.com:x", Password),
            ("https:///x", NoHost),
            ("https://-x/y", NoHost),
            ("ssh://-oProxyCommand=x/y", NoHost),
            ("ssh://-oX@example.com/y", NoHost),
        ] {
            assert_eq!(protocol(remote), Err(error), "{remote}");
        }
    }

    #[test]
    fn a_directory_stays_inside() {
        for directory in [".", "", "jobs/adder", "./jobs/", "a..b"] {
            assert!(check_directory(directory).is_ok(), "{directory}");
        }
        let long = "a/".repeat(MAX_DIRECTORY_LENGTH);
        for directory in ["..", "jobs/../..", "/etc", "a\nb", "jobs/..", "a\0b", &long] {
            assert!(check_directory(directory).is_err(), "{directory}");
        }
    }

    #[test]
    fn a_branch_is_no_option() {
        assert!(check_branch("feature/x").is_ok());
        for branch in ["", "-b", "--upload-pack=x", "a b", "a\nb", &"a".repeat(MAX_BRANCH_LENGTH + 1)] {
            assert!(check_branch(branch).is_err(), "{branch}");
        }
    }
}
