//! The headers that pass between a caller and a job.

use std::net::IpAddr;

use axum::http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use racetrack_service::http::REQUEST_ID;
use uuid::Uuid;

use super::origin_headers;
use super::target::GATEWAY_HEADERS;

/// The header with the id that follows a call through jobs that call each other.
pub(super) const TRACING_ID: HeaderName = HeaderName::from_static("x-request-tracing-id");

const CALLER_NAME: HeaderName = HeaderName::from_static("x-caller-name");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Headers, and cookies of the same names, with the caller's token.
const CREDENTIALS: [HeaderName; 3] = [
    HeaderName::from_static("x-racetrack-auth"),
    HeaderName::from_static("x-racetrack-user-auth"),
    HeaderName::from_static("x-racetrack-esc-auth"),
];

/// Headers about one connection rather than the message, besides those that `Connection` names (RFC 9110, 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Who calls.
#[derive(Debug)]
pub(super) struct Sender<'a> {
    pub(super) address: Option<IpAddr>,
    pub(super) caller: &'a str,
    pub(super) tracing_id: &'a HeaderValue,
}

/// The caller's tracing id, or a new one.
pub(super) fn tracing_id(headers: &HeaderMap) -> HeaderValue {
    headers.get(TRACING_ID).filter(|id| !id.is_empty()).cloned().unwrap_or_else(|| {
        let mut buffer = Uuid::encode_buffer();
        let id = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
        HeaderValue::from_str(id).expect("hexadecimal digits make a header value")
    })
}

/// Makes the headers of a call those for the job. `Host` is left to whoever knows the replica.
pub(super) fn prepare_request(headers: &mut HeaderMap, sender: &Sender<'_>) {
    let takes_trailers = tokens(headers, &TE).any(|token| token.eq_ignore_ascii_case(b"trailers"));
    remove_hop_by_hop(headers);
    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    for name in CREDENTIALS.iter().chain(&GATEWAY_HEADERS) {
        headers.remove(name);
    }
    remove_disguised(headers);
    withhold_trailers(headers, |name| is_own(&name.replace(is_odd, "-")));
    remove_credential_cookies(headers);
    forwarded(headers, sender.address);
    headers.insert(TRACING_ID, sender.tracing_id.clone());
    headers.insert(CALLER_NAME, text_value(sender.caller));
}

/// Makes the headers of a job's answer those for the caller. `own` are the authorities under which the job knows itself.
pub(super) fn prepare_response(headers: &mut HeaderMap, own: [&str; 2]) {
    remove_hop_by_hop(headers);
    remove_credentials_set(headers);
    origin_headers::remove(headers);
    withhold_trailers(headers, |name| name == SET_COOKIE.as_str() || origin_headers::is_one(name));
    let location = headers.get(LOCATION).and_then(|location| relative(location, own));
    if let Some(location) = location {
        headers.insert(LOCATION, location);
    }
}

/// Removes the headers that a job may read as one of those that only lifecycle sets or takes away: `X_Caller_Name`. Servers
/// hand headers to programs by names in which every character but letters and digits is the same one.
fn remove_disguised(headers: &mut HeaderMap) {
    let is_disguised =
        |name: &HeaderName| name.as_str().contains(is_odd) && is_own(&name.as_str().replace(is_odd, "-"));
    let disguised: Vec<HeaderName> = headers.keys().filter(|name| is_disguised(name)).cloned().collect();
    for name in &disguised {
        headers.remove(name);
    }
}

/// Whether servers take the character for a dash where they hand headers to programs.
fn is_odd(character: char) -> bool {
    !(character.is_ascii_alphanumeric() || character == '-')
}

/// Takes names out of the list of trailers, which are the only ones that are passed on: some servers put them among the
/// headers.
fn withhold_trailers(headers: &mut HeaderMap, is_withheld: impl Fn(&str) -> bool) {
    if !headers.contains_key(TRAILER) {
        return;
    }
    let names = tokens(headers, &TRAILER).filter_map(|name| std::str::from_utf8(name).ok());
    let kept: Vec<_> = names.filter(|name| !is_withheld(&name.to_ascii_lowercase())).collect();
    let kept = HeaderValue::try_from(kept.join(", "));
    headers.remove(TRAILER);
    headers.extend(kept.ok().filter(|kept| !kept.is_empty()).map(|kept| (TRAILER, kept)));
}

/// Whether the header is one that lifecycle or the connection says something with, and no caller.
fn is_own(name: &str) -> bool {
    let told = [CALLER_NAME, TRACING_ID, FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PROTO, REQUEST_ID];
    let about_message = [HOST, CONTENT_LENGTH, COOKIE];
    let lists: [&[HeaderName]; 5] = [&CREDENTIALS, &GATEWAY_HEADERS, &HOP_BY_HOP, &told, &about_message];
    lists.concat().iter().any(|own| own == name)
}

/// Removes the cookies with which a job would have a browser show a token of the job's choice.
fn remove_credentials_set(headers: &mut HeaderMap) {
    let is_credential = |value: &HeaderValue| pairs(value).next().is_some_and(is_credential);
    if headers.get_all(SET_COOKIE).iter().any(is_credential) {
        let kept: Vec<_> =
            headers.get_all(SET_COOKIE).iter().filter(|value| !is_credential(value)).cloned().collect();
        headers.remove(SET_COOKIE);
        for value in kept {
            headers.append(SET_COOKIE, value);
        }
    }
}

/// The protocol that the sender of these headers wants to switch to.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<&HeaderValue> {
    let protocol = headers.get(UPGRADE)?;
    tokens(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case(b"upgrade")).then_some(protocol)
}

/// Sets the headers that ask for, or agree to, a switch to `protocol`.
pub(super) fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let is_usual = |token: &[u8]| {
        ["keep-alive", "close", "upgrade"].iter().any(|usual| token.eq_ignore_ascii_case(usual.as_bytes()))
    };
    let named: Vec<HeaderName> = tokens(headers, &CONNECTION)
        .filter(|token| !is_usual(token))
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .collect();
    // The length is that of the chunked message, if a sender gave both.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// The elements of a list in a header, whether they are text or not.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let values = headers.get_all(name).into_iter().map(HeaderValue::as_bytes);
    values.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// Removes the cookies that hold tokens and leaves the others as they are.
fn remove_credential_cookies(headers: &mut HeaderMap) {
    let cookies = || headers.get_all(COOKIE).into_iter().flat_map(pairs);
    if !cookies().any(is_credential) {
        return;
    }
    let kept: Vec<&[u8]> = cookies().filter(|pair| !is_credential(pair)).collect();
    let kept = kept.join(&b"; "[..]);
    if kept.is_empty() {
        headers.remove(COOKIE);
    } else {
        headers.insert(COOKIE, HeaderValue::from_bytes(&kept).expect("parts of header values"));
    }
}

fn pairs(cookies: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    cookies.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}

fn is_credential(pair: &[u8]) -> bool {
    // Browsers give back a cookie without a name as its value alone, and that may look like a name with a value.
    let blank = pair.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b'=').count();
    let pair = &pair[blank..];
    let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii();
    CREDENTIALS.iter().any(|credential| name.eq_ignore_ascii_case(credential.as_str().as_bytes()))
}

/// Says who asked, for what host; another proxy in front may have said so already.
fn forwarded(headers: &mut HeaderMap, address: Option<IpAddr>) {
    if let Some(host) = headers.get(HOST).cloned() {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
    headers.entry(FORWARDED_PROTO).or_insert(HeaderValue::from_static("http"));
    let Some(address) = address else { return };
    let mut senders = Vec::new();
    for earlier in headers.get_all(FORWARDED_FOR) {
        senders.extend_from_slice(earlier.as_bytes());
        senders.extend_from_slice(b", ");
    }
    senders.extend_from_slice(address.to_canonical().to_string().as_bytes());
    let senders = HeaderValue::from_maybe_shared(senders).expect("header values and an address");
    headers.insert(FORWARDED_FOR, senders);
}

/// A text as a header value, without what no header can hold.
fn text_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).or_else(|_| HeaderValue::from_bytes(text.as_bytes())).unwrap_or_else(|_| {
        let text: String = text.chars().filter(|character| !character.is_control()).collect();
        HeaderValue::from_bytes(text.as_bytes()).expect("there are no control characters")
    })
}

/// Path, query and fragment of a URL that points at the job itself. Headers may hold bytes that are no text.
fn relative(location: &HeaderValue, own: [&str; 2]) -> Option<HeaderValue> {
    let location = location.as_bytes();
    let begins = |scheme: &&str| {
        location.get(..scheme.len()).is_some_and(|found| found.eq_ignore_ascii_case(scheme.as_bytes()))
    };
    let scheme = ["http://", "https://", "//"].into_iter().find(begins)?;
    let rest = &location[scheme.len()..];
    let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    if !own.iter().any(|own| authority.eq_ignore_ascii_case(own.as_bytes())) {
        return None;
    }
    let before: &[u8] = match target {
        // What starts with two slashes names a host, and browsers take a backslash for one.
        [b'/', b'/' | b'\\', ..] => b"/.",
        [b'/', ..] => b"",
        _ => b"/",
    };
    HeaderValue::from_bytes(&[before, target].concat()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let lines = lines.iter();
        lines.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn to_job(lines: &[(&'static str, &'static str)], address: Option<[u8; 4]>) -> HeaderMap {
        let mut all = HeaderMap::new();
        for (name, value) in lines {
            all.append(*name, HeaderValue::from_static(value));
        }
        let tracing_id = HeaderValue::from_static("id-1");
        let address = address.map(IpAddr::from);
        prepare_request(&mut all, &Sender { address, caller: "User admin", tracing_id: &tracing_id });
        all
    }

    const ALWAYS: [(&str, &str); 3] =
        [("x-caller-name", "User admin"), ("x-forwarded-proto", "http"), ("x-request-tracing-id", "id-1")];

    #[track_caller]
    fn check(lines: &[(&'static str, &'static str)], expected: &[(&'static str, &'static str)]) {
        let expected: Vec<_> = expected.iter().chain(&ALWAYS).copied().collect();
        assert_eq!(to_job(lines, None), headers(&expected));
    }

    #[test]
    fn a_header_is_not_forged_by_another_spelling() {
        for forged in [
            "x_caller_name",
            "x-caller_name",
            "x.caller.name",
            "x_racetrack_auth",
            "x_racetrack_gateway_token",
            "x_request_tracing_id",
            "x_request_id",
            "x_forwarded_for",
            "content_length",
            "transfer_encoding",
        ] {
            check(&[(forged, "x")], &[]);
        }
        let own = [("x_own", "1"), ("x_caller_names", "2"), ("host_", "3")];
        check(&own, &own);
    }

    #[test]
    fn headers_about_the_connection_stay_behind() {
        let hops = [
            ("connection", "keep-alive, X-Secret"),
            ("connection", "close,x-other"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "close"),
            ("proxy-authorization", "Basic x"),
            ("te", "gzip"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("upgrade", "h2c"),
            ("x-secret", "1"),
            ("x-other", "2"),
            ("accept", "*/*"),
            ("trailer", "x-sum"),
        ];
        check(&hops, &[("accept", "*/*"), ("trailer", "x-sum")]);
    }

    #[test]
    fn trailers_are_asked_for_where_the_caller_takes_them() {
        check(&[("te", "gzip, Trailers")], &[("te", "trailers"), ("connection", "te")]);
    }

    #[test]
    fn a_connection_header_does_not_remove_what_the_proxy_says() {
        check(&[("connection", "x-caller-name, x-request-tracing-id, x-forwarded-proto")], &[]);
    }

    #[test]
    fn a_caller_cannot_say_who_calls() {
        let forged = [
            ("x-caller-name", "User root"),
            ("x-caller-name", "ESC root"),
            ("x-caller-name", "ESC admin"),
            ("x-racetrack-gateway-token", "guess"),
            ("x-racetrack-job-internal-name", "other:7000"),
        ];
        check(&forged, &[]);
    }

    #[test]
    fn credentials_stay_behind_and_other_cookies_pass() {
        let credentials =
            [("x-racetrack-auth", "t"), ("x-racetrack-user-auth", "t"), ("x-racetrack-esc-auth", "t")];
        check(&credentials, &[]);
        let cookies = [
            ("a=1; X-Racetrack-Auth=t; b=\"2\"", Some("a=1; b=\"2\"")),
            ("x-racetrack-user-auth=t;x-racetrack-ESC-auth = t", None),
            ("a=1;b=2; c", Some("a=1;b=2; c")),
            ("My-X-Racetrack-Auth=1", Some("My-X-Racetrack-Auth=1")),
            ("X-Racetrack-Auth", None),
        ];
        for (cookie, expected) in cookies {
            let expected: Vec<_> = expected.map(|expected| ("cookie", expected)).into_iter().collect();
            check(&[("cookie", cookie)], &expected);
        }
        let twice = [("cookie", "a=1"), ("cookie", "X-Racetrack-Auth=t"), ("cookie", "b=2")];
        check(&[("cookie", "x-racetrack-auth=t"); 4], &[]);
        check(&twice, &[("cookie", "a=1; b=2")]);
    }

    #[test]
    fn the_job_learns_who_asked_for_what_host() {
        let host = ("host", "racetrack.example");
        check(&[host], &[host, ("x-forwarded-host", "racetrack.example")]);
        let behind = [host, ("x-forwarded-host", "outer.example"), ("x-forwarded-proto", "https")];
        let told = to_job(&behind, Some([10, 0, 0, 1]));
        assert_eq!(told["x-forwarded-host"], "outer.example");
        assert_eq!(told["x-forwarded-proto"], "https");
        assert_eq!(told["x-forwarded-for"], "10.0.0.1");
        let told =
            to_job(&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")], Some([10, 0, 0, 1]));
        assert_eq!(
            told.get_all("x-forwarded-for").iter().collect::<Vec<_>>(),
            ["1.1.1.1, 2.2.2.2, 10.0.0.1"]
        );
    }

    #[test]
    fn a_name_of_any_letters_is_told() {
        assert_eq!(text_value("User łucja").as_bytes(), "User łucja".as_bytes());
        assert_eq!(text_value("User a\r\nx-evil: 1"), "User ax-evil: 1");
    }

    #[test]
    fn each_call_has_a_tracing_id() {
        let made = tracing_id(&HeaderMap::new());
        assert_eq!(made.to_str().expect("is text").parse::<Uuid>().expect("is a UUID").get_version_num(), 4);
        assert_ne!(tracing_id(&headers(&[("x-request-tracing-id", "")])), made);
        assert_eq!(tracing_id(&headers(&[("x-request-tracing-id", "id-1")])), "id-1");
    }

    #[test]
    fn only_a_location_at_the_job_becomes_relative() {
        let locations = [
            ("http://127.0.0.1:7000/pub/job/adder/1/docs?a=1#b", "/pub/job/adder/1/docs?a=1#b"),
            ("https://127.0.0.1:7000", "/"),
            ("//Job:7000?a", "/?a"),
            ("http://job:7000//evil.example/x", "/.//evil.example/x"),
            ("http://job:70001/x", "http://job:70001/x"),
            ("http://job:7000@evil.example/x", "http://job:7000@evil.example/x"),
            ("https://elsewhere.example/x", "https://elsewhere.example/x"),
            ("../docs", "../docs"),
            ("HTTP://job:7000/x", "/x"),
            ("http://job:7000/\\evil.example/x", "/./\\evil.example/x"),
        ];
        for (location, expected) in locations {
            let mut answer =
                headers(&[("location", location), ("connection", "close, x-hop"), ("x-hop", "1")]);
            prepare_response(&mut answer, ["127.0.0.1:7000", "job:7000"]);
            assert_eq!(answer, headers(&[("location", expected)]));
        }
    }

    #[test]
    fn bytes_that_are_no_text_hide_nothing() {
        let mut answer = headers(&[("x-hop", "1")]);
        let value = |bytes: &[u8]| HeaderValue::from_bytes(bytes).expect("a header holds it");
        answer.insert(LOCATION, value(b"http://job:7000/\xff"));
        answer.insert(CONNECTION, value(b"\xff, X-Hop"));
        prepare_response(&mut answer, ["127.0.0.1:7000", "job:7000"]);
        assert_eq!(answer.remove(LOCATION), Some(value(b"/\xff")));
        assert!(answer.is_empty(), "{answer:?}");
    }
}
