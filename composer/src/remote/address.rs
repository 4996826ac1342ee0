//! What a declaration may write to name a source that is elsewhere.

use std::path::{Component, Path};

use url::Url;

/// Why a text names no source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// What is wrong, with the text.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// The address of a bundle. Plain `http` is accepted because the digest decides what is taken.
pub fn bundle_address(text: &str) -> Result<Url, Invalid> {
    let url = parse(
        text,
        &["https", "http"],
        "write the address of a ZIP bundle, such as `https://…/x-1.0.0.zip`",
    )?;
    if url.fragment().is_some() {
        return invalid(text, "has a part after `#`", "leave that part out; servers never see it");
    }
    if !url.username().is_empty() {
        return invalid(&without_login(url), "has a user name", NO_SECRETS);
    }
    Ok(url)
}

/// The address of a repository.
pub fn repository_address(text: &str) -> Result<Url, Invalid> {
    if let Some((host, path)) = text
        .split_once(':')
        .filter(|(host, path)| host.contains('@') && !host.contains('/') && !path.starts_with("//"))
    {
        let help = format!("write `ssh://{host}/{}`", path.trim_start_matches('/'));
        return invalid(text, "is no URL", &help);
    }
    let url =
        parse(text, &["https", "ssh", "file"], "a repository begins with `https://`, `ssh://` or `file://`")?;
    if url.scheme() != "ssh" && !url.username().is_empty() {
        return invalid(&without_login(url), "has a user name", NO_SECRETS);
    }
    Ok(url)
}

/// The full id of a commit.
pub fn commit_id(text: &str, repository: &str) -> Result<String, Invalid> {
    let is_hexadecimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hexadecimal && text.len() == 40 {
        return Ok(text.to_ascii_lowercase());
    }
    let help = if is_hexadecimal && text.len() >= 4 {
        format!("write all 40 digits; `git rev-parse {text}` in a clone prints them")
    } else {
        format!(
            "branches and tags move, so only a commit names what is built; `git ls-remote {repository} {text}` prints its id"
        )
    };
    invalid(text, "is no full commit id", &help)
}

/// A folder inside a repository, without a slash at its end.
pub fn subfolder(text: &str) -> Result<String, Invalid> {
    let folder = text.strip_suffix('/').unwrap_or(text);
    let is_plain = |part: &str| {
        let mut parts = Path::new(part).components();
        matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none()
    };
    if folder.contains(['\\', ':']) || folder.contains(char::is_control) || !folder.split('/').all(is_plain) {
        let help =
            "write the path inside the repository, such as `plugins/x`; leave `subfolder` out for its root";
        return invalid(text, "is no folder of a repository", help);
    }
    Ok(folder.to_owned())
}

const NO_SECRETS: &str =
    "leave it out: declarations are committed and shown, so they are no place for credentials";

fn parse(text: &str, schemes: &[&str], help: &str) -> Result<Url, Invalid> {
    let Ok(url) = Url::parse(text) else {
        return invalid(text, "is no URL", help);
    };
    if !schemes.contains(&url.scheme()) {
        return invalid(text, &format!("begins with `{}:`", url.scheme()), help);
    }
    if url.password().is_some() {
        return invalid(&without_login(url), "has a password", NO_SECRETS);
    }
    Ok(url)
}

/// The address as it may be shown: what stands before the host may be a token, be it in the place of the name or of the password.
fn without_login(mut url: Url) -> String {
    // Only addresses without a host cannot have either, and they have none.
    let _ = url.set_password(None);
    let _ = url.set_username("***");
    url.into()
}

fn invalid<T>(text: &str, why: &str, help: &str) -> Result<T, Invalid> {
    Err(Invalid { message: format!("`{text}` {why}"), help: help.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T: std::fmt::Debug>(parsed: Result<T, Invalid>) -> String {
        parsed.unwrap_err().message
    }

    #[test]
    fn bundles_come_over_http() {
        assert!(bundle_address("https://host/x.zip?y=1").is_ok());
        assert!(bundle_address("http://127.0.0.1:80/x.zip").is_ok());
        assert_eq!(message(bundle_address("x.zip")), "`x.zip` is no URL");
        assert_eq!(message(bundle_address("https://")), "`https://` is no URL");
        assert_eq!(message(bundle_address("ftp://host/x.zip")), "`ftp://host/x.zip` begins with `ftp:`");
        assert_eq!(message(bundle_address("https://h/x#y")), "`https://h/x#y` has a part after `#`");
        assert_eq!(message(bundle_address("https://me@h/x")), "`https://***@h/x` has a user name");
    }

    #[test]
    fn passwords_are_refused_and_not_repeated() {
        for refused in [
            bundle_address("https://me:secret@host/x.zip"),
            repository_address("https://me:secret@host/x"),
            repository_address("ssh://me:secret@host/x"),
            repository_address("https://secret:x-oauth-basic@host/x"),
        ] {
            let message = message(refused);
            assert!(message.ends_with("has a password") && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn repositories_are_reached_in_ways_that_protect_the_commit_id() {
        assert!(repository_address("https://host/a/b.git").is_ok());
        assert!(repository_address("ssh://git@host:22/a/b").is_ok());
        assert!(repository_address("file:///srv/a").is_ok());
        for refused in ["http://host/a", "git://host/a", "ext::sh -c id", "../a", "https://me@host/a"] {
            assert!(repository_address(refused).is_err(), "{refused}");
        }
        let refused = repository_address("git@host:a/b.git").unwrap_err();
        assert_eq!(refused.help, "write `ssh://git@host/a/b.git`");
    }

    #[test]
    fn only_full_commit_ids_name_a_commit() {
        let full = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(commit_id(&full.to_uppercase(), "r"), Ok(full.to_owned()));
        let help = |text: &str| commit_id(text, "https://h/r").unwrap_err().help;
        assert!(help(&full[..39]).contains("git rev-parse 0123456"));
        assert!(help("main").contains("git ls-remote https://h/r main"));
        assert!(help("").contains("ls-remote"));
    }

    #[test]
    fn subfolders_stay_inside() {
        assert_eq!(subfolder("plugins/x/"), Ok("plugins/x".to_owned()));
        for refused in ["", "/", "/a", "..", "a/../b", "./a", "a//b", "a\\b", "c:/a", "a\nb"] {
            assert!(subfolder(refused).is_err(), "{refused:?}");
        }
    }
}
