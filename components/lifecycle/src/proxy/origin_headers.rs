//! The headers of an answer by which a page would act on its whole origin, of which lifecycle and all other jobs are.

use axum::http::{HeaderMap, HeaderName};

/// Those that browsers keep, or heed beyond the answer they come with. What is about the answer alone passes, such as
/// `Content-Security-Policy` and `Permissions-Policy`.
const ORIGIN_WIDE: [HeaderName; 21] = [
    // Which further data browsers send with every request from then on.
    HeaderName::from_static("accept-ch"),
    HeaderName::from_static("accept-ch-lifetime"),
    HeaderName::from_static("critical-ch"),
    // Another server for the origin.
    HeaderName::from_static("alt-svc"),
    // Logs readers out of everything, and empties what other pages keep.
    HeaderName::from_static("clear-site-data"),
    // How connections to the host have to be.
    HeaderName::from_static("expect-ct"),
    HeaderName::from_static("public-key-pins"),
    HeaderName::from_static("public-key-pins-report-only"),
    HeaderName::from_static("strict-transport-security"),
    // Where reports about requests to the origin go.
    HeaderName::from_static("nel"),
    HeaderName::from_static("report-to"),
    HeaderName::from_static("reporting-endpoints"),
    // How pages of the origin share a process.
    HeaderName::from_static("origin-agent-cluster"),
    // What pages of the origin may try out.
    HeaderName::from_static("critical-origin-trial"),
    HeaderName::from_static("origin-trial"),
    // Sessions and logins that browsers keep for the origin.
    HeaderName::from_static("secure-session-registration"),
    HeaderName::from_static("secure-session-challenge"),
    HeaderName::from_static("sec-session-registration"),
    HeaderName::from_static("set-login"),
    // A worker that answers requests of all pages below a path.
    HeaderName::from_static("service-worker-allowed"),
    // What later answers of the origin are unpacked with.
    HeaderName::from_static("use-as-dictionary"),
];

/// Whether the name, in small letters, is that of one of them.
pub(super) fn is_one(name: &str) -> bool {
    ORIGIN_WIDE.iter().any(|header| header == name)
}

/// Removes them.
pub(super) fn remove(headers: &mut HeaderMap) {
    for name in &ORIGIN_WIDE {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_page_acts_on_itself_alone() {
        let own = ["content-security-policy", "permissions-policy", "cache-control", "x-frame-options"];
        let mut headers = HeaderMap::new();
        for name in ORIGIN_WIDE.into_iter().chain(own.map(HeaderName::from_static)) {
            headers.append(name.clone(), HeaderValue::from_static("1"));
            headers.append(name, HeaderValue::from_static("2"));
        }
        remove(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(
            left,
            ["cache-control", "content-security-policy", "permissions-policy", "x-frame-options"]
        );
    }
}
