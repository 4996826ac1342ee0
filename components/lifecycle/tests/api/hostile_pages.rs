//! Attacks by pages that somebody's browser shows, on a lifecycle that asks nobody who they are.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use racetrack_lifecycle::settings::LifecycleSettings;

use crate::harness::{Server, send, settings};

/// The name of a header, and its value.
type Header = (&'static str, &'static [u8]);

/// What a page says of itself, or what a machine that was led here says of where it wanted to go.
const ATTACKS: [(&str, &[Header]); 40] = [
    ("another host", &[("host", b"evil.example")]),
    ("another host with the port", &[("host", b"evil.example:7202")]),
    ("a host that begins like this machine", &[("host", b"127.0.0.1.evil.example:7202")]),
    ("a host that ends like this machine", &[("host", b"evil.localhost.example")]),
    ("a host below localhost", &[("host", b"evil.localhost:7202")]),
    ("a host with a user", &[("host", b"localhost@evil.example")]),
    ("a host as a user", &[("host", b"evil.example@localhost:7202")]),
    ("a host with two ports", &[("host", b"localhost:7202:80")]),
    ("a port that is none", &[("host", b"localhost:port")]),
    ("a host with a path", &[("host", b"localhost/evil.example")]),
    ("an empty host", &[("host", b"")]),
    ("a host that is no text", &[("host", b"\xff\xfe")]),
    ("a list of hosts", &[("host", b"localhost, evil.example")]),
    ("an address of the network", &[("host", b"192.168.1.10:7202")]),
    ("the address of everything", &[("host", b"0.0.0.0:7202")]),
    ("the address of everything, version 6", &[("host", b"[::]:7202")]),
    ("an address in one number", &[("host", b"2130706433:7202")]),
    ("an address in hexadecimal digits", &[("host", b"0x7f000001:7202")]),
    ("an address with parts left out", &[("host", b"127.1:7202")]),
    ("another origin", &[("host", b"localhost:7202"), ("origin", b"https://evil.example")]),
    ("another origin on this machine", &[("host", b"localhost:7202"), ("origin", b"http://localhost:8080")]),
    ("another scheme", &[("host", b"localhost:7202"), ("origin", b"https://localhost:7202")]),
    ("another name of this machine", &[("host", b"localhost:7202"), ("origin", b"http://127.0.0.1:7202")]),
    ("an origin that is null", &[("host", b"localhost:7202"), ("origin", b"null")]),
    ("an empty origin", &[("host", b"localhost:7202"), ("origin", b"")]),
    ("an origin that is no text", &[("host", b"localhost:7202"), ("origin", b"\xff")]),
    ("an origin with a user", &[("host", b"localhost:7202"), ("origin", b"http://x@localhost:7202")]),
    (
        "an origin that begins like ours",
        &[("host", b"localhost"), ("origin", b"http://localhost.evil.example")],
    ),
    ("a file", &[("host", b"localhost:7202"), ("origin", b"file://")]),
    ("an extension", &[("host", b"localhost:7202"), ("origin", b"moz-extension://localhost:7202")]),
    ("a list of origins", &[("host", b"localhost"), ("origin", b"http://localhost http://evil.example")]),
    ("an origin without a host", &[("origin", b"https://evil.example")]),
    (
        "rebinding: the origin is the host",
        &[("host", b"evil.example:7202"), ("origin", b"http://evil.example:7202")],
    ),
    (
        "rebinding without an origin",
        &[("host", b"a.b.evil.example:7202"), ("sec-fetch-site", b"same-origin")],
    ),
    (
        "rebinding of a name with a dot",
        &[("host", b"evil.example.:7202"), ("origin", b"http://evil.example.:7202")],
    ),
    ("another site", &[("host", b"localhost:7202"), ("sec-fetch-site", b"cross-site")]),
    ("the same site on another port", &[("host", b"localhost:7202"), ("sec-fetch-site", b"same-site")]),
    ("a site that there is not", &[("host", b"localhost:7202"), ("sec-fetch-site", b"same_origin")]),
    ("a site in capitals", &[("host", b"localhost:7202"), ("sec-fetch-site", b"CROSS-SITE")]),
    (
        "an own origin of another site",
        &[
            ("host", b"localhost:7202"),
            ("origin", b"http://localhost:7202"),
            ("sec-fetch-site", b"cross-site"),
        ],
    ),
];

/// What is worth an attack: everything that acts, tells or calls, and what lasts.
const TARGETS: [(Method, &str); 12] = [
    (Method::GET, "/api/v1/job"),
    (Method::GET, "/lifecycle/api/v1/job/adder/1.0.0"),
    (Method::POST, "/api/v1/deploy"),
    (Method::DELETE, "/api/v1/job/adder/1.0.0"),
    (Method::PUT, "/api/v1/maintenance"),
    (Method::OPTIONS, "/api/v1/deploy"),
    (Method::GET, "/pub/job/adder/1.0.0/perform"),
    (Method::POST, "/pub/job/adder/1.0.0/perform"),
    (Method::GET, "/websocket/events"),
    (Method::GET, "/lifecycle/websocket/events"),
    (Method::GET, "/socket.io/?EIO=4&transport=polling"),
    (Method::POST, "/lifecycle/socket.io/?EIO=4&transport=polling&sid=x"),
];

fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
    let header = |(name, value): &(&'static str, &[u8])| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value).expect("a value"))
    };
    pairs.iter().map(header).collect()
}

async fn status(server: &Server, method: &Method, path: &str, headers: HeaderMap) -> (u16, HeaderMap) {
    let mut request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
    *request.headers_mut() = headers;
    let is_websocket = path.contains("websocket") || path.contains("socket.io");
    if is_websocket && *method == Method::GET {
        for (name, value) in [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    let answer = send(&server.router, request).await;
    (answer.status, answer.headers)
}

#[tokio::test]
async fn no_page_acts_where_nobody_is_asked() {
    let server = Server::start_with(LifecycleSettings { auth_required: Some(false), ..settings() }).await;
    assert!(ATTACKS.len() > 26);
    for (name, pairs) in ATTACKS {
        for (method, path) in &TARGETS {
            let (status, answered) = status(&server, method, path, headers(pairs)).await;
            assert_eq!(status, 401, "{name}: {method} {path}");
            let shares = answered.keys().find(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(shares, None, "{name}: {method} {path}");
        }
    }
    let [first, ..] = ATTACKS;
    let twice: HeaderMap = [("host", "localhost:7202"), ("host", "evil.example")].into_iter().fold(
        HeaderMap::new(),
        |mut headers, (name, value)| {
            headers.append(name, HeaderValue::from_static(value));
            headers
        },
    );
    let hidden = [("x-forwarded-host", &b"localhost:7202"[..]), ("x-real-ip", b"127.0.0.1")];
    for (name, headers) in
        [("two hosts", twice), ("a host behind another header", headers(&[first.1, &hidden].concat()))]
    {
        for (method, path) in &TARGETS {
            assert_eq!(status(&server, method, path, headers.clone()).await.0, 401, "{name}: {path}");
        }
    }
    // Whoever is meant is let in.
    let own = headers(&[("host", b"localhost:7202"), ("origin", b"http://localhost:7202")]);
    assert_eq!(status(&server, &Method::GET, "/api/v1/job", own).await.0, 200);
    assert_eq!(
        server.app.store.is_in_maintenance().await.ok(),
        Some(false),
        "and nothing has come of the attacks"
    );
    assert_eq!(server.app.store.jobs().await.expect("are there").as_slice().len(), 3);
}
