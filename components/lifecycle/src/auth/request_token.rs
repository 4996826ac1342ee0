//! Where requests show their token.

use axum::http::{HeaderMap, HeaderName, header};

/// The headers that tokens are shown in: today's, and two older ones.
static AUTH_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-racetrack-auth"),
    HeaderName::from_static("x-racetrack-user-auth"),
    HeaderName::from_static("x-racetrack-esc-auth"),
];

/// The token in one of the headers for it.
pub(crate) fn token_in_header(headers: &HeaderMap) -> Option<&str> {
    let tokens = AUTH_HEADERS.iter().filter_map(|name| headers.get(name)?.to_str().ok());
    tokens.map(str::trim).find(|token| !token.is_empty())
}

/// The token in a cookie named like the headers, as browsers have it.
pub(super) fn token_in_cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    cookies.flat_map(|cookies| cookies.split(';')).find_map(|cookie| {
        let (name, value) = cookie.split_once('=')?;
        let is_token = AUTH_HEADERS.iter().any(|header| header.as_str().eq_ignore_ascii_case(name.trim()));
        (is_token && !value.trim().is_empty()).then(|| without_escapes(value.trim()))
    })
}

/// The value of a cookie, where browsers and frameworks escape characters that tokens have: `%2E` for a dot.
fn without_escapes(value: &str) -> String {
    let mut parts = value.trim_matches('"').split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let escaped = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped.filter(u8::is_ascii) {
            Some(byte) => text.extend([char::from(byte)].into_iter().chain(part[2..].chars())),
            None => text.extend(['%'].into_iter().chain(part.chars())),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pairs: &[(&'static str, &str)]) -> Option<String> {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().expect("a header value"))
        };
        let headers = pairs.iter().map(header).collect();
        token_in_header(&headers).map(str::to_owned).or_else(|| token_in_cookie(&headers))
    }

    #[test]
    fn tokens_are_found_where_clients_put_them() {
        for (pairs, expected) in [
            (&[("x-racetrack-auth", "a.b.c")][..], Some("a.b.c")),
            (&[("x-racetrack-user-auth", "a.b.c")], Some("a.b.c")),
            (&[("x-racetrack-esc-auth", "a.b.c")], Some("a.b.c")),
            (&[("x-racetrack-auth", ""), ("cookie", "x=1; X-Racetrack-Auth=a.b.c")], Some("a.b.c")),
            (&[("cookie", "X-Racetrack-User-Auth=\"a%2Eb%2Ec\"")], Some("a.b.c")),
            (&[("cookie", "session=a.b.c")], None),
            (&[], None),
        ] {
            assert_eq!(shown(pairs).as_deref(), expected, "{pairs:?}");
        }
    }

    #[test]
    fn escapes_that_are_none_stay() {
        for (value, expected) in
            [("a%2", "a%2"), ("%zz", "%zz"), ("%C3%A4", "%C3%A4"), ("%", "%"), ("é%2Eé", "é.é")]
        {
            assert_eq!(without_escapes(value), expected);
        }
    }
}
