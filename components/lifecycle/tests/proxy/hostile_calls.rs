//! Callers that want a job to hear more than one request of theirs, or something that only lifecycle says.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixture::{LONG, PREFIX, get, job, proxy, raw};

/// What a job hears of a request.
type Heard = Arc<Mutex<Vec<(String, String)>>>;

/// A request within a request. What the proxy takes for one of its own is a call like any other, and allowed like one; it
/// must not reach the job as it is.
const INNER: &str =
    "GET /pub/job/adder/0.0.1/smuggled HTTP/1.1\r\nhost: h\r\nx-caller-name: User root\r\n\r\n";

/// Requests, without the line of the method and without `host`. Beginning with `!`, one has a line of its own.
#[allow(clippy::too_many_lines, reason = "it is a table of attacks")]
fn attacks() -> Vec<(&'static str, String)> {
    let body = |head: &str, body: &str| format!("{head}\r\n\r\n{body}");
    let chunks = |head: &str| body(head, &format!("0\r\n\r\n{INNER}"));
    let whole = |head: &str| body(head, "");
    let length = INNER.len();
    vec![
        ("a length, and chunks that end before", chunks("content-length: 200\r\ntransfer-encoding: chunked")),
        ("chunks, and a length that ends before", chunks("transfer-encoding: chunked\r\ncontent-length: 4")),
        ("an encoding that is nearly chunked", chunks("content-length: 5\r\ntransfer-encoding: xchunked")),
        ("an encoding behind a space", chunks("content-length: 5\r\ntransfer-encoding : chunked")),
        ("an encoding behind a tab", chunks("content-length: 5\r\ntransfer-encoding:\tchunked")),
        ("an encoding behind a form feed", chunks("content-length: 5\r\ntransfer-encoding:\x0cchunked")),
        ("an encoding that is folded", chunks("content-length: 5\r\ntransfer-encoding:\r\n chunked")),
        ("an encoding in capitals", chunks("content-length: 5\r\nTRANSFER-ENCODING: CHUNKED")),
        (
            "chunked twice",
            chunks("content-length: 5\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked"),
        ),
        ("chunked, and then something else", chunks("transfer-encoding: chunked, identity")),
        ("something else, and then chunked", chunks("transfer-encoding: gzip, chunked")),
        ("two encodings in two headers", chunks("transfer-encoding: chunked\r\ntransfer-encoding: identity")),
        ("two lengths", body(&format!("content-length: 0\r\ncontent-length: {length}"), INNER)),
        ("a list of lengths", body(&format!("content-length: 0, {length}"), INNER)),
        ("a length with a sign", body(&format!("content-length: +{length}"), INNER)),
        ("a negative length", body("content-length: -1", INNER)),
        ("a length in hexadecimal digits", body(&format!("content-length: 0x{length:x}"), INNER)),
        ("a length with an underscore", body("content-length: 1_0", INNER)),
        ("a length beyond 64 bits", body("content-length: 18446744073709551616", INNER)),
        ("a chunk with a prefix", body("transfer-encoding: chunked", &format!("0x0\r\n\r\n{INNER}"))),
        (
            "a chunk beyond 64 bits",
            body("transfer-encoding: chunked", &format!("10000000000000000\r\n{INNER}")),
        ),
        ("a negative chunk", body("transfer-encoding: chunked", &format!("-1\r\n{INNER}"))),
        ("a chunk that ends by a line feed", body("transfer-encoding: chunked", &format!("0;\n\r\n{INNER}"))),
        (
            "trailers that say who calls",
            body(
                "transfer-encoding: chunked\r\ntrailer: x-caller-name",
                "0\r\nx-caller-name: User root\r\n\r\n",
            ),
        ),
        (
            "a length that the connection is to lose",
            body(&format!("connection: close, content-length\r\ncontent-length: {length}"), INNER),
        ),
        (
            "headers of lifecycle that the connection is to lose",
            whole("connection: close, x-caller-name, x-forwarded-for, x-request-tracing-id"),
        ),
        ("a caller of one's own", whole("x-caller-name: User root")),
        ("a caller with underscores", whole("x_caller_name: User root")),
        ("a caller with dots", whole("x.caller.name: User root")),
        ("a caller in mixed spelling", whole("X_Caller-Name: User root")),
        ("a token with underscores", whole("X_Racetrack_Auth: EVIL")),
        ("a token of a gateway", whole("x-racetrack-gateway-token: EVIL")),
        ("a length with underscores", whole("content_length: 1000\r\ntransfer_encoding: chunked")),
        (
            "what a proxy is told",
            whole("proxy-authorization: EVIL\r\nproxy-connection: keep-alive\r\nkeep-alive: timeout=9"),
        ),
        (
            "a switch to HTTP/2",
            whole("connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: EVIL"),
        ),
        ("a switch to TLS", whole("connection: upgrade\r\nupgrade: TLS/1.0")),
        (
            "a switch of a request with a body",
            body("connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 4", "body"),
        ),
        ("a switch that the connection does not name", whole("upgrade: websocket\r\nsec-websocket-key: x")),
        ("what is not expected", body("expect: nothing\r\ncontent-length: 4", "body")),
        ("a header with a zero byte", whole("x-a: b\0c")),
        ("a header with a carriage return", whole("x-a: b\rx-caller-name: User root")),
        ("a header that ends by a line feed", whole("x-a: b\nx-caller-name: User root")),
        ("a header without a name", whole(": EVIL")),
        ("a name with a space", whole("x caller name: User root")),
        ("10000 headers", whole("x-a: b\r\n".repeat(10_000).trim_end())),
        ("a megabyte of one header", whole(&format!("x-a: {}", "b".repeat(1 << 20)))),
        (
            "an address of 100 KB",
            format!("!GET {PREFIX}/{} HTTP/1.1\r\nhost: h\r\n\r\n", "x".repeat(100_000)),
        ),
        ("an address with a space", format!("!GET {PREFIX}/a HTTP/1.1\r\nx: y HTTP/1.1\r\nhost: h\r\n\r\n")),
        ("an address with a zero byte", format!("!GET {PREFIX}/\0 HTTP/1.1\r\nhost: h\r\n\r\n")),
        ("HTTP/0.9", format!("!GET {PREFIX}/\r\n")),
        (
            "HTTP/1.0 with chunks",
            format!("!POST {PREFIX}/ HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{INNER}"),
        ),
        ("HTTP/2 from the start", "!PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_owned()),
        ("a version that there is not", format!("!GET {PREFIX}/ HTTP/9.9\r\nhost: h\r\n\r\n")),
        ("a method with a line end", format!("!GE\nT {PREFIX}/ HTTP/1.1\r\nhost: h\r\n\r\n")),
        ("a tunnel", "!CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: h\r\n\r\nEVIL".to_owned()),
        (
            "an absolute address of another host",
            format!("!GET http://evil.example{PREFIX}/ HTTP/1.1\r\nhost: h\r\n\r\n"),
        ),
        ("two hosts", format!("!GET {PREFIX}/ HTTP/1.1\r\nhost: h\r\nhost: evil.example\r\n\r\n")),
    ]
}

async fn noting_job(heard: &Heard) -> String {
    let heard = Arc::clone(heard);
    job(Router::new().fallback(move |request: Request| {
        let heard = Arc::clone(&heard);
        async move {
            let headers = request.headers().iter();
            let headers = headers
                .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
                .collect::<Vec<_>>()
                .concat();
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect().await;
            let body = body.map(|body| {
                let trailers = body.trailers().map(|trailers| format!("{trailers:?}"));
                String::from_utf8_lossy(&body.to_bytes()).into_owned() + &trailers.unwrap_or_default()
            });
            heard.lock().expect("not poisoned").push((path, headers + &body.unwrap_or_default()));
            "heard"
        }
    }))
    .await
}

#[tokio::test]
async fn a_job_hears_nothing_that_the_proxy_did_not_say() {
    let heard = Heard::default();
    let proxy = proxy(&[&noting_job(&heard).await]).await;
    let attacks = attacks();
    assert!(attacks.len() > 22, "{}", attacks.len());
    for (name, attack) in attacks {
        let request = match attack.strip_prefix('!') {
            Some(request) => request.to_owned(),
            None => format!("POST {PREFIX}/front HTTP/1.1\r\nhost: h\r\n{attack}"),
        };
        let (mut reader, mut writer) = raw(&proxy, "").await.into_split();
        // The proxy need not read it all.
        let talking = async {
            let _hung_up = writer.write_all(request.as_bytes()).await;
            let _hung_up = writer.shutdown().await;
            let mut answer = Vec::new();
            let _reset_or_end = reader.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer).into_owned()
        };
        let answer = tokio::time::timeout(LONG, talking).await;
        let answer = answer.unwrap_or_else(|_| panic!("{name}: the call never ends"));
        assert!(!answer.contains(" 101 ") && !answer.contains(" 500 "), "{name}: {answer:.500}");
        for (path, said) in heard.lock().expect("not poisoned").drain(..) {
            let (headers, text) = (said.to_ascii_lowercase(), &said);
            let callers = headers.matches("caller").count();
            assert!(!headers.contains("root") || text.contains("GET /pub/job"), "{name}: {said:.1000}");
            let is_told_by_proxy = headers.contains("x-caller-name: user admin\n")
                && headers.contains("x-request-tracing-id: ")
                && headers.contains("x-forwarded-for: 127.0.0.1");
            let inner_body = text.contains("GET /pub/job");
            assert!(is_told_by_proxy, "{name}: {path} {said:.1000}");
            assert!(callers == 1 || inner_body, "{name}: {path} {said:.1000}");
            assert!(!text.contains("EVIL") && !headers.contains("h2c"), "{name}: {path} {said:.1000}");
            assert!(
                !headers.contains("http2-settings") && !headers.contains("upgrade"),
                "{name}: {said:.1000}"
            );
            assert!(!headers.contains("host: evil.example"), "{name}: {said:.1000}");
        }
        let (status, _, body) = get(&proxy, "/next").await;
        assert_eq!((status, body.as_str()), (200, "heard"), "{name}: the next call");
        heard.lock().expect("not poisoned").clear();
    }
}
