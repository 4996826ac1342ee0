//! What `cargo xtask fuzz` feeds with paths and headers of nobody's making.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::headers::{self, Sender};
use super::target::Target;
use super::upstream::{Gateway, Upstream};

const JOB: &str = "/pub/job/adder/0.0.1";

/// Forwards a call whose path is the first line of the bytes, with the other lines as its headers, and passes on an answer with
/// the same headers.
pub fn call(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let Some(uri) = lines.next().and_then(|line| Uri::try_from(line).ok()) else {
        return;
    };
    let headers: HeaderMap = lines.filter_map(header).collect();
    let gateway = Gateway { url: "http://gateway/base", token: Some("secret") };
    for (gateway, prefix) in [(None, JOB), (Some(gateway), "/base/remote/forward/adder/0.0.1")] {
        forward(&uri, gateway, prefix);
    }
    let tracing_id = headers::tracing_id(&headers);
    let sender =
        Sender { address: Some([127, 0, 0, 1].into()), caller: "User admin", tracing_id: &tracing_id };
    let mut request = headers.clone();
    headers::prepare_request(&mut request, &sender);
    assert!(!request.contains_key("x-racetrack-auth"), "a caller's token ends here: {headers:?}");
    let shows_token =
        |value: &HeaderValue| value.as_bytes().to_ascii_lowercase().starts_with(b"x-racetrack-auth=");
    assert!(!request.get_all("cookie").iter().any(shows_token), "{headers:?}");
    let mut response = headers;
    headers::prepare_response(&mut response, ["127.0.0.1:7000", "127.0.0.1:7000"]);
    assert!(!response.get_all("set-cookie").iter().any(shows_token), "{response:?}");
    let location = response.get("location").map(HeaderValue::as_bytes).unwrap_or_default();
    assert!(!location.to_ascii_lowercase().starts_with(b"http://127.0.0.1:7000/"), "{response:?}");
}

/// Whatever path is forwarded stays below that of the job.
fn forward(uri: &Uri, gateway: Option<Gateway<'_>>, prefix: &str) {
    let upstream = Upstream {
        job_name: "adder",
        job_version: "0.0.1",
        replicas: &["127.0.0.1:7000".to_owned()],
        status: "running",
        path: uri.path(),
        caller: "User admin",
        gateway,
    };
    let Ok(target) = Target::new(&upstream, uri.query()) else {
        return;
    };
    let path = target.uri.path();
    let rest = path.strip_prefix(prefix).expect("the path of the job comes first");
    assert!(rest.is_empty() || rest.starts_with('/'), "{path}");
    assert_eq!(target.uri.query(), uri.query());
    assert!(!climbs(rest), "{path}");
}

/// Whether a job that decodes the path once may find a step upwards in it: another reading than that of the proxy.
fn climbs(path: &str) -> bool {
    let path = path.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < path.len() {
        let digits = path.get(at + 1..at + 3).filter(|_| path[at] == b'%');
        let escaped = digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        decoded.push(escaped.unwrap_or(path[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    decoded.split(|byte| [b'/', b'\\'].contains(byte)).any(|segment| segment == b"..")
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_inputs_do_no_harm() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/proxy");
        let inputs = fs_err::read_dir(folder).expect("there are inputs");
        let run = |path: std::path::PathBuf| call(&fs_err::read(path).expect("a file"));
        assert!(inputs.map(|input| run(input.expect("readable").path())).count() > 0);
    }
}
