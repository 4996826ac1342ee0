//! The secrets of a build: which there are, and what takes them out of whatever people see.

use racetrack_core::redaction::Redaction;
use racetrack_core::{EnvVars, GitCredentials, git_source};

use crate::build_log;

/// How long all secrets of a build may be together, in bytes. Linux gives a process no longer variables.
pub(super) const MAX_SECRETS: usize = 128 * 1024;

/// Why the secrets of a build are refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    #[error(
        "secret_build_env and git_credentials have {0} bytes together, and at most {MAX_SECRETS} are taken: have the build \
         fetch larger secrets by a token"
    )]
    Size(usize),
    #[error("git_credentials: control characters are not allowed")]
    Credentials,
}

/// The credentials that can be given to git; nothing for empty ones.
pub(super) fn checked_credentials(
    credentials: Option<GitCredentials>,
) -> Result<Option<GitCredentials>, SecretsError> {
    let is_given = |of: &GitCredentials| !of.username.is_empty() || !of.password.is_empty();
    let credentials = credentials.filter(is_given);
    // A line break would give git further answers than these two.
    let is_wrong = |of: &GitCredentials| of.username.chars().chain(of.password.chars()).any(char::is_control);
    if credentials.as_ref().is_some_and(is_wrong) { Err(SecretsError::Credentials) } else { Ok(credentials) }
}

/// What must not be seen in any log or error, besides what the address of the repository has before its host.
pub(super) fn secrets<'a>(
    credentials: Option<&'a GitCredentials>,
    secret_build_env: &'a EnvVars,
) -> Vec<&'a str> {
    secret_build_env.values().chain(credentials.map(secret_of)).map(String::as_str).collect()
}

/// Takes these secrets out of texts, and what the address of the repository has before its host.
pub(super) fn redaction(secrets: Vec<&str>, remote: &str) -> Result<Redaction, SecretsError> {
    let caller = shown_caller(remote);
    let secrets: Vec<&str> = secrets.into_iter().chain(caller.as_deref()).collect();
    match secrets.iter().map(|secret| secret.len()).sum() {
        size if size > MAX_SECRETS => Err(SecretsError::Size(size)),
        _ => Ok(Redaction::new(build_log::REDACTED, secrets)),
    }
}

/// Some servers take a token as the user name, and no password.
const fn secret_of(credentials: &GitCredentials) -> &String {
    if credentials.password.is_empty() { &credentials.username } else { &credentials.password }
}

/// What is before the host in the address of the repository, as it is not to be shown: a token by itself, anything else, which
/// may be a word like others, with what follows it there.
fn shown_caller(remote: &str) -> Option<String> {
    const SHORTEST_TOKEN: usize = 20;
    let user = git_source::user(remote)?;
    Some(if user.len() >= SHORTEST_TOKEN { user.to_owned() } else { format!("{user}@") })
}
