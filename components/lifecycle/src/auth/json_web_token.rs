//! JSON Web Tokens signed with HMAC-SHA256, the one form in which tokens of Racetrack are shown.
//!
//! The claims are those of the original platform, and no others. A library for every algorithm would bring four more
//! families of cryptography along, and the choice of algorithm is where such libraries were attacked; here is none.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use racetrack_store::{Scope, SubjectKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::AuthKey;

/// The longest token that is looked at, in bytes.
const MAX_LENGTH: usize = 4096;

/// What a token says. The seed is what only this token has.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Known to the store; a token whose seed it does not know is not good, whoever signed it.
    pub seed: String,
    /// The name of the user or the job family, the id of the ESC, or the name of a part of Racetrack.
    pub subject: String,
    /// What the subject is.
    pub subject_type: SubjectKind,
    /// What a part of Racetrack may do. What others may do is in the store; of theirs, a token for calls only has
    /// `call_job` here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
    /// From when on it is not good any more, in seconds since 1970. The store may know of an earlier end.
    #[serde(rename = "exp", default, skip_serializing_if = "Option::is_none")]
    pub expiry_time: Option<i64>,
}

/// A text that is no token signed with this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// It has not the three parts of a token.
    #[error("it is no JSON Web Token")]
    Shape,
    /// It is signed in another way.
    #[error("it is not signed with HS256")]
    Algorithm,
    /// It is signed with another key, or was changed.
    #[error("its signature is wrong")]
    Signature,
    /// It says something else than a token of Racetrack.
    #[error("its claims are not those of Racetrack")]
    Claims,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    typ: Option<String>,
}

impl Claims {
    /// The token with these claims.
    pub fn sign(&self, key: &AuthKey) -> String {
        let header = Header { alg: "HS256".to_owned(), typ: Some("JWT".to_owned()) };
        let part = |json: serde_json::Result<Vec<u8>>| BASE64.encode(json.expect("texts are JSON"));
        let signed = format!("{}.{}", part(serde_json::to_vec(&header)), part(serde_json::to_vec(self)));
        let signature = mac(key, &signed).finalize().into_bytes();
        format!("{signed}.{}", BASE64.encode(signature))
    }

    /// The claims of a token that is signed with the key.
    ///
    /// # Errors
    /// [`InvalidToken`]
    pub fn verify(token: &str, key: &AuthKey) -> Result<Self, InvalidToken> {
        let decode = |part: &str| BASE64.decode(part.trim_end_matches('=')).map_err(|_| InvalidToken::Shape);
        let (signed, signature) = token.rsplit_once('.').ok_or(InvalidToken::Shape)?;
        let (header, claims) = signed.split_once('.').ok_or(InvalidToken::Shape)?;
        if token.len() > MAX_LENGTH {
            return Err(InvalidToken::Shape);
        }
        let header: Header = object(&decode(header)?).ok_or(InvalidToken::Shape)?;
        if header.alg != "HS256" {
            return Err(InvalidToken::Algorithm);
        }
        // Compares in constant time.
        mac(key, signed).verify_slice(&decode(signature)?).map_err(|_| InvalidToken::Signature)?;
        object(&decode(claims)?).ok_or(InvalidToken::Claims)
    }
}

impl std::fmt::Debug for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { subject, subject_type, .. } = self;
        f.debug_struct("Claims")
            .field("subject", subject)
            .field("subject_type", subject_type)
            .finish_non_exhaustive()
    }
}

/// Reads an object. A list of the same values would be read as one, too.
fn object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    json.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(json).ok()).flatten()
}

fn mac(key: &AuthKey, signed: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose()).expect("keys of HMAC have any length");
    mac.update(signed.as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> AuthKey {
        text.parse().expect("long enough")
    }

    fn claims() -> Claims {
        let subject = "admin".to_owned();
        let seed = "s33d".to_owned();
        Claims { seed, subject, subject_type: SubjectKind::User, scopes: None, expiry_time: None }
    }

    /// Signed by Python's hmac over {"alg": "HS256", "typ": "JWT"}.
    const FOREIGN: &str = concat!(
        "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.",
        "eyJzZWVkIjogInMzM2QiLCAic3ViamVjdCI6ICJhZG1pbiIsICJzdWJqZWN0X3R5cGUiOiAidXNlciJ9.",
        "-PhfpllYTOaJimtijRkM4YsDbp0W5j6Jvj1pv8RkeEg",
    );

    #[test]
    fn a_signed_token_is_verified_with_the_same_key_only() {
        let token = claims().sign(&key("0123456789abcdef0123456789abcdef"));
        assert_eq!(Claims::verify(&token, &key("0123456789abcdef0123456789abcdef")), Ok(claims()));
        let other = Claims::verify(&token, &key("another key that is as long as it gets"));
        assert_eq!(other, Err(InvalidToken::Signature));
    }

    #[test]
    fn tokens_made_elsewhere_are_verified() {
        let key = key("0123456789abcdef0123456789abcdef");
        assert_eq!(Claims::verify(FOREIGN, &key), Ok(claims()));
    }

    #[test]
    fn nothing_of_a_token_can_be_changed() {
        let key = key("0123456789abcdef0123456789abcdef");
        let token = claims().sign(&key);
        let parts: Vec<_> = token.split('.').collect();
        let mallory = Claims { subject: "mallory".to_owned(), ..claims() }.sign(&key);
        let mallory: Vec<_> = mallory.split('.').collect();
        let header = |alg: &str| BASE64.encode(format!("{{\"alg\": \"{alg}\"}}"));
        for (forged, expected) in [
            (format!("{}.{}.{}", parts[0], mallory[1], parts[2]), InvalidToken::Signature),
            (format!("{}.{}.", parts[0], parts[1]), InvalidToken::Signature),
            (format!("{}.{}.", header("none"), parts[1]), InvalidToken::Algorithm),
            (format!("{}.{}.{}", header("HS512"), parts[1], parts[2]), InvalidToken::Algorithm),
            (format!("{}.{}.{}", header("HS256"), parts[1], parts[2]), InvalidToken::Signature),
            (format!("{}.{}", parts[0], parts[1]), InvalidToken::Shape),
            ("x".repeat(MAX_LENGTH + 1), InvalidToken::Shape),
            (format!("{token}.x"), InvalidToken::Shape),
            (String::new(), InvalidToken::Shape),
        ] {
            assert_eq!(Claims::verify(&forged, &key), Err(expected), "{forged}");
        }
    }

    #[test]
    fn further_claims_are_refused() {
        let key = key("0123456789abcdef0123456789abcdef");
        let part = |text: &str| BASE64.encode(text);
        let claims = r#"{"seed": "a", "subject": "b", "subject_type": "user", "admin": true}"#;
        let signed = format!("{}.{}", part(r#"{"alg": "HS256"}"#), part(claims));
        let token = format!("{signed}.{}", BASE64.encode(mac(&key, &signed).finalize().into_bytes()));
        assert_eq!(Claims::verify(&token, &key), Err(InvalidToken::Claims));
    }

    #[test]
    fn the_seed_is_not_shown() {
        assert!(!format!("{:?}", claims()).contains("s33d"));
    }
}
