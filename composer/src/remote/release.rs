//! Releases on GitHub, by the name that `racetrack plugin install` takes: `github.com/OWNER/REPOSITORY==VERSION`.
//!
//! The asset of a release has a name that does not follow from the release, so it is asked for; only when it is fetched,
//! because the digest in the declaration says what it is.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use url::Url;

use super::Sha256;
use super::address::{Invalid, bundle_address};
use super::http::{HttpClient, HttpError};

/// What every such name begins with.
pub(super) const HOST: &str = "github.com/";

/// The server that knows the assets of releases.
pub(super) const API: &str = "https://api.github.com";

/// The largest answer about one release, in bytes.
const ANSWER_BYTES: u64 = 4 * 1024 * 1024;

/// A release of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    owner: String,
    repository: String,
    version: String,
}

/// Why the asset of a release is not known.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The server does not say.
    #[error("cannot ask {API} for the assets of the release")]
    Http(#[source] HttpError),
    /// There is no such release.
    #[error("there is no release tagged `{0}` or `v{0}`")]
    Missing(String),
    /// It is no answer about a release.
    #[error("cannot read the answer of {API}")]
    Answer(#[source] serde_json::Error),
    /// No asset is a bundle.
    #[error("the release has no asset whose name ends with `.zip`")]
    NoBundle,
    /// The address of the asset is none.
    #[error("the address of the asset cannot be used")]
    Address(#[source] Invalid),
}

#[derive(Deserialize)]
struct Answer {
    assets: Vec<Asset>,
}

#[derive(Deserialize)]
struct Asset {
    browser_download_url: String,
    /// `sha256:…`, for assets that were uploaded since the server computes it.
    digest: Option<String>,
}

/// Where the asset of a release can be downloaded; `api` is the server to ask, in the product [`API`]. The version is a
/// tag, with or without a `v` before it.
pub(super) fn asset(
    release: &Release,
    wanted: Option<&Sha256>,
    api: &str,
    client: &HttpClient,
) -> Result<Url, ReleaseError> {
    for tag in [release.version.clone(), format!("v{}", release.version)] {
        let Release { owner, repository, .. } = release;
        let url = format!("{api}/repos/{owner}/{repository}/releases/tags/{tag}");
        let url = bundle_address(&url).map_err(ReleaseError::Address)?;
        match client.get(&url, ANSWER_BYTES, |_| {}) {
            Ok(answer) => return choose(&answer, wanted),
            Err(HttpError::Status { status: 404, .. }) => {}
            Err(error) => return Err(ReleaseError::Http(error)),
        }
    }
    Err(ReleaseError::Missing(release.version.clone()))
}

/// The bundle among the assets: the one with the wanted digest where the server tells digests, otherwise the first one, as
/// `racetrack plugin install` does.
fn choose(answer: &[u8], wanted: Option<&Sha256>) -> Result<Url, ReleaseError> {
    let answer: Answer = serde_json::from_slice(answer).map_err(ReleaseError::Answer)?;
    let is_bundle = |asset: &&Asset| asset.browser_download_url.strip_suffix(".zip").is_some();
    let bundles: Vec<_> = answer.assets.iter().filter(is_bundle).collect();
    let has_digest = |asset: &&&Asset| {
        let digest = asset.digest.as_deref().and_then(|digest| digest.strip_prefix("sha256:"));
        digest.is_some_and(|digest| wanted.is_some_and(|wanted| wanted.as_str() == digest))
    };
    let chosen = bundles.iter().find(has_digest).or(bundles.first()).ok_or(ReleaseError::NoBundle)?;
    bundle_address(&chosen.browser_download_url).map_err(ReleaseError::Address)
}

impl FromStr for Release {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |why: &str, help: &str| {
            Err(Invalid { message: format!("`{text}` {why}"), help: help.to_owned() })
        };
        let form = "write `github.com/OWNER/REPOSITORY==VERSION`";
        let Some((path, version)) = text.split_once("==") else {
            return invalid("names no version of a release", form);
        };
        let Some((owner, repository)) = path.strip_prefix(HOST).and_then(|path| path.split_once('/')) else {
            return invalid("is no release on GitHub", form);
        };
        let is_name = |name: &str, more: &str| {
            !name.is_empty()
                && !name.bytes().all(|byte| byte == b'.')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        if !is_name(owner, "-_") || !is_name(repository, "-_.") || !is_name(version, "-_.+") {
            return invalid("is no release on GitHub", form);
        }
        Ok(Self { owner: owner.to_owned(), repository: repository.to_owned(), version: version.to_owned() })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HOST}{}/{}=={}", self.owner, self.repository, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::super::http::tests::{answer, serve};
    use super::*;

    const TWO_BUNDLES: &str = r#"{"assets": [
        {"browser_download_url": "https://h/notes.txt"},
        {"browser_download_url": "https://h/first.zip", "digest": null},
        {"browser_download_url": "https://h/second.zip", "digest": "sha256:DIGEST"}
    ]}"#;

    #[test]
    fn a_release_is_named_as_clients_name_it() {
        let text = "github.com/TheRacetrack/plugin-python-job-type==2.4.0";
        assert_eq!(text.parse::<Release>().unwrap().to_string(), text);
        for refused in [
            "github.com/a/b",
            "github.com/a==1",
            "github.com/a/b/c==1",
            "github.com/../b==1",
            "github.com/a/..==1",
            "github.com/a/b==1/2",
            "github.com/a/b==",
            "gitlab.com/a/b==1",
            "https://github.com/a/b==1",
        ] {
            assert!(refused.parse::<Release>().is_err(), "{refused}");
        }
    }

    #[test]
    fn the_asset_with_the_wanted_digest_wins_over_the_first() {
        let (wanted, other) = (Sha256::of(b"second"), Sha256::of(b"other"));
        let answer = TWO_BUNDLES.replace("DIGEST", wanted.as_str());
        let chosen = |wanted| choose(answer.as_bytes(), wanted).unwrap().to_string();
        assert_eq!(chosen(None), "https://h/first.zip");
        assert_eq!(chosen(Some(&other)), "https://h/first.zip");
        assert_eq!(chosen(Some(&wanted)), "https://h/second.zip");
        assert!(matches!(choose(br#"{"assets": []}"#, None), Err(ReleaseError::NoBundle)));
        assert!(matches!(choose(b"<html>", None), Err(ReleaseError::Answer(_))));
    }

    #[test]
    fn tags_are_tried_with_and_without_v() {
        let release: Release = "github.com/a/b==1.0.0".parse().unwrap();
        let (api, asked) =
            serve(|path| answer(if path.ends_with("/v1.0.0") { 200 } else { 404 }, TWO_BUNDLES.as_bytes()));
        let url = asset(&release, None, &api, &HttpClient::new()).unwrap();
        assert_eq!(url.as_str(), "https://h/first.zip");
        let asked: Vec<_> = asked.try_iter().collect();
        assert_eq!(asked, ["/repos/a/b/releases/tags/1.0.0", "/repos/a/b/releases/tags/v1.0.0"]);
        let (api, _asked) = serve(|_| answer(404, b""));
        let error = asset(&release, None, &api, &HttpClient::new()).unwrap_err();
        assert_eq!(error.to_string(), "there is no release tagged `1.0.0` or `v1.0.0`");
        let (api, _asked) = serve(|_| answer(403, b""));
        assert!(matches!(
            asset(&release, None, &api, &HttpClient::new()),
            Err(ReleaseError::Http(HttpError::Status { status: 403, .. }))
        ));
    }
}
