//! Values of settings that more than one component has.

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;
use racetrack_core::Quantity;
use serde::Deserialize;

/// The address of a server, `http://HOST:PORT` with a path or without, and without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HttpUrl(String);

/// A secret that is shown in a header. Its `Debug` form does not show it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AuthToken(String);

/// A number of bytes, as people write it: `256Mi`. Never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Quantity")]
pub struct Size(pub u64);

/// A text that is no [`HttpUrl`].
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not an address; write one such as http://127.0.0.1:7202")]
pub struct InvalidHttpUrl {
    /// The text found.
    pub text: String,
}

/// A text that is no [`AuthToken`]. The text is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("a token has visible ASCII characters only, and one at least")]
pub struct InvalidAuthToken;

/// A text that is no [`Size`].
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a number of bytes; write one such as 1000000 or 256Mi, at least 1")]
pub struct InvalidSize {
    /// The text found.
    pub text: String,
}

impl HttpUrl {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is for connections without encryption, as servers of this machine or cluster have them.
    pub fn is_plain(&self) -> bool {
        self.0.starts_with("http:")
    }
}

impl AuthToken {
    /// The token itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `text` is this token. How long that takes tells nothing of where the two differ.
    pub fn is(&self, text: &[u8]) -> bool {
        let own = self.0.as_bytes();
        let difference = own.iter().zip(text).fold(0, |difference, (a, b)| difference | (a ^ b));
        own.len() == text.len() && std::hint::black_box(difference) == 0
    }
}

impl FromStr for HttpUrl {
    type Err = InvalidHttpUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.trim_end_matches('/');
        let is_address = |uri: &Uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.query().is_none()
                && uri.host().is_some()
        };
        if address.parse().is_ok_and(|uri| is_address(&uri)) {
            Ok(Self(address.to_owned()))
        } else {
            Err(InvalidHttpUrl { text: text.to_owned() })
        }
    }
}

impl FromStr for AuthToken {
    type Err = InvalidAuthToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_visible = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_visible { Ok(Self(text.to_owned())) } else { Err(InvalidAuthToken) }
    }
}

impl FromStr for Size {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let quantity: Result<Quantity, _> = text.parse();
        quantity.map_err(|_| InvalidSize { text: text.to_owned() })?.try_into()
    }
}

impl TryFrom<Quantity> for Size {
    type Error = InvalidSize;

    fn try_from(quantity: Quantity) -> Result<Self, Self::Error> {
        /// The largest number up to which a floating-point number, as a quantity is, has every integer.
        const LARGEST: f64 = 9_007_199_254_740_992.0;
        if !(1.0..=LARGEST).contains(&quantity.value()) {
            return Err(InvalidSize { text: quantity.to_string() });
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the value is positive and below 2⁵³; a fraction of a byte does not count"
        )]
        Ok(Self(quantity.value() as u64))
    }
}

impl TryFrom<String> for HttpUrl {
    type Error = InvalidHttpUrl;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<String> for AuthToken {
    type Error = InvalidAuthToken;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AuthToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_scheme_and_a_host() {
        let url = |text: &str| text.parse::<HttpUrl>();
        assert_eq!(
            url("http://10.0.0.1:7202/lifecycle/").expect("valid").as_str(),
            "http://10.0.0.1:7202/lifecycle"
        );
        assert!(!url("https://racetrack.example.com").expect("valid").is_plain());
        for text in ["10.0.0.1:7202", "ftp://lifecycle", "http://a b", "http://a?b", "http:", ""] {
            assert!(url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_quantities_of_at_least_a_byte() {
        assert_eq!("1.5Ki".parse::<Size>().expect("valid"), Size(1536));
        for text in ["0", "100m", "-1", "1KB", "", "9E"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let token: AuthToken = "hunter2".parse().expect("valid");
        assert!(!format!("{token:?}").contains("hunter2"));
        let error = "hunter2\n".parse::<AuthToken>().expect_err("has a line break");
        assert!(!error.to_string().contains("hunter2"));
        assert!("".parse::<AuthToken>().is_err());
    }

    #[test]
    fn a_token_is_only_itself() {
        let token: AuthToken = "hunter2".parse().expect("valid");
        assert!(token.is(b"hunter2"));
        for other in [&b"hunter"[..], b"hunter22", b"hunter3", b""] {
            assert!(!token.is(other));
        }
    }
}
