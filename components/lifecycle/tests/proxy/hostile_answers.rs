//! Jobs that answer with something that is no answer, or with more than one.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{LONG, PREFIX, get, listener, proxy, raw};

/// What no caller may ever see.
const EVIL: &str = "EVIL";

const SMUGGLED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nEVIL";

/// What becomes of a hostile answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The caller is told that the job does not answer.
    Refused,
    /// The caller sees its beginning, and that it is not whole.
    BrokenOff,
    /// The caller gets what is an answer of it.
    Passed,
}

use Outcome::{BrokenOff, Passed, Refused};

/// A hostile answer, and whether the job leaves its connection open behind it.
struct Attack {
    name: &'static str,
    answer: String,
    stays_open: bool,
    outcome: Outcome,
}

#[allow(clippy::too_many_lines, reason = "it is a table of attacks")]
fn attacks() -> Vec<Attack> {
    let closing =
        |name, answer: &str, outcome| Attack { name, answer: answer.to_owned(), stays_open: false, outcome };
    let open = |name, answer: &str, outcome| Attack { stays_open: true, ..closing(name, answer, outcome) };
    let head = |lines: &str| format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
    let many = |line: &str, count: usize| head(&line.repeat(count));
    vec![
        closing("two lengths", &head("content-length: 2\r\ncontent-length: 6\r\n\r\nokEVIL"), Refused),
        closing("a list of lengths", &head("content-length: 2, 6\r\n\r\nokEVIL"), Refused),
        closing("a length with a sign", &head("content-length: +4\r\n\r\nEVIL"), Refused),
        closing("a negative length", &head("content-length: -1\r\n\r\nEVIL"), Refused),
        closing("a length in hexadecimal digits", &head("content-length: 0x4\r\n\r\nEVIL"), Refused),
        closing(
            "a length beyond 64 bits",
            &head("content-length: 99999999999999999999\r\n\r\nEVIL"),
            Refused,
        ),
        closing("an empty length", &head("content-length:\r\n\r\nEVIL"), Refused),
        closing("a length that is longer than the body", &head("content-length: 99\r\n\r\nok"), BrokenOff),
        open("a surplus answer", &head(&format!("content-length: 2\r\n\r\nok{SMUGGLED}")), Passed),
        open(
            "a surplus answer behind chunks",
            &head(&format!("transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n{SMUGGLED}")),
            Passed,
        ),
        open(
            "a length and chunks",
            &head(&format!(
                "content-length: 60\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n{SMUGGLED}"
            )),
            Passed,
        ),
        open(
            "chunks and a length",
            &head(&format!(
                "transfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n2\r\nok\r\n0\r\n\r\n{SMUGGLED}"
            )),
            Passed,
        ),
        open("no content, and a body", &format!("HTTP/1.1 204 No Content\r\n\r\n{SMUGGLED}"), Passed),
        open("not modified, and a body", &format!("HTTP/1.1 304 Not Modified\r\n\r\n{SMUGGLED}"), Passed),
        closing(
            "a chunk without a size",
            &head("transfer-encoding: chunked\r\n\r\nZZ\r\nEVIL\r\n0\r\n\r\n"),
            BrokenOff,
        ),
        closing(
            "a chunk beyond 64 bits",
            &head("transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nEVIL\r\n0\r\n\r\n"),
            BrokenOff,
        ),
        closing(
            "a negative chunk",
            &head("transfer-encoding: chunked\r\n\r\n-4\r\nEVIL\r\n0\r\n\r\n"),
            BrokenOff,
        ),
        closing("chunks without an end", &head("transfer-encoding: chunked\r\n\r\n2\r\nok\r\n"), BrokenOff),
        closing(
            "an endless extension of a chunk",
            &head(&format!(
                "transfer-encoding: chunked\r\n\r\n2;{}\r\nEVIL\r\n0\r\n\r\n",
                "x".repeat(1 << 20)
            )),
            BrokenOff,
        ),
        closing(
            "endless trailers",
            &head(&format!(
                "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n{}\r\n",
                "x: EVIL\r\n".repeat(100_000)
            )),
            BrokenOff,
        ),
        closing(
            "a megabyte of one header",
            &head(&format!("x: {}\r\n\r\nEVIL", "x".repeat(1 << 20))),
            Refused,
        ),
        closing("10000 headers", &format!("{}EVIL", many("x: EVIL\r\n", 10_000)), Refused),
        closing("a head without an end", &many("x: EVIL\r\n", 100_000), Refused),
        closing(
            "a switch of protocols that nobody asked for",
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nEVIL",
            Refused,
        ),
        closing("endless 100", &"HTTP/1.1 100 Continue\r\n\r\n".repeat(10_000), Refused),
        closing("a status of two digits", "HTTP/1.1 20 OK\r\n\r\nEVIL", Refused),
        closing("a status of four digits", "HTTP/1.1 2000 OK\r\n\r\nEVIL", Refused),
        closing("a status below all", "HTTP/1.1 099 OK\r\n\r\nEVIL", Refused),
        closing("a status that is a word", "HTTP/1.1 EVIL OK\r\n\r\nEVIL", Refused),
        closing("another version", "HTTP/3.7 200 OK\r\n\r\nEVIL", Refused),
        closing("another protocol", "SSH-2.0-EVIL\r\n", Refused),
        closing("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nEVIL", Refused),
        closing("zero bytes", "\0\0\0\0EVIL", Refused),
        closing("nothing", "", Refused),
        closing("half a head", "HTTP/1.1 200 OK\r\nx: EV", Refused),
        closing("a zero byte in a header", &head("x: a\0EVIL\r\n\r\n"), Refused),
        closing("a carriage return in a header", &head("x: a\rEVIL: b\r\n\r\n"), Refused),
        closing("a header without a colon", &head("EVIL\r\n\r\n"), Refused),
        closing("a space before a colon", &head("content-length : 4\r\n\r\nEVIL"), Refused),
        closing("a header that is folded", &head("x: a\r\n EVIL\r\n\r\n"), Refused),
        closing("a header without a name", &head(": EVIL\r\n\r\n"), Refused),
    ]
}

/// Answers calls of `/attack` with bytes, and all others as it should.
async fn serve(listener: TcpListener, answer: String, stays_open: bool) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(talk(connection, answer.clone(), stays_open));
    }
}

/// The caller of this job may hang up at any time.
async fn talk(mut connection: TcpStream, answer: String, stays_open: bool) -> std::io::Result<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(connection.read_u8().await?);
        }
        if !String::from_utf8_lossy(&head).contains("/attack") {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhonest").await?;
            continue;
        }
        connection.write_all(answer.as_bytes()).await?;
        if !stays_open {
            return connection.shutdown().await;
        }
    }
}

/// Whether an answer is whole, by its own head.
fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    match length.map(|length| length.parse::<usize>().expect("is a number")) {
        Some(length) => body.len() == length,
        None if head.contains("transfer-encoding: chunked") => body.ends_with("0\r\n\r\n"),
        None => true,
    }
}

#[tokio::test]
async fn no_answer_of_a_job_harms_its_caller_or_the_next_one() {
    let attacks = attacks();
    assert!(attacks.len() > 12, "{}", attacks.len());
    for Attack { name, answer, stays_open, outcome } in attacks {
        let (listener, address) = listener().await;
        let job = tokio::spawn(serve(listener, answer, stays_open));
        let proxy = proxy(&[&address]).await;
        let request = format!("GET {PREFIX}/attack HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
        let mut caller = raw(&proxy, &request).await;
        let mut seen = Vec::new();
        let read = tokio::time::timeout(LONG, caller.read_to_end(&mut seen)).await;
        let _reset_or_end = read.unwrap_or_else(|_| panic!("{name}: the call never ends"));
        let seen = String::from_utf8_lossy(&seen).into_owned();
        let shown: String = seen.chars().take(500).collect();
        assert!(!seen.contains(EVIL), "{name}: {shown}");
        let found = match seen.get(9..12) {
            Some("502") if is_whole(&seen) => Refused,
            Some("200" | "204" | "304") if is_whole(&seen) => Passed,
            _ => BrokenOff,
        };
        assert_eq!(found, outcome, "{name}: {shown}");
        for _ in 0..2 {
            let (status, _, body) = get(&proxy, "/next").await;
            assert_eq!((status, body.as_str()), (200, "honest"), "{name}: the next call");
        }
        job.abort();
    }
}

#[tokio::test]
async fn no_cookie_of_a_job_is_taken_for_a_token() {
    let cookies = [
        "X-Racetrack-Auth=EVIL",
        "x-racetrack-auth=EVIL; Path=/",
        "X-RACETRACK-AUTH=EVIL",
        "X-Racetrack-User-Auth=EVIL; Secure",
        "x-racetrack-esc-auth=EVIL; Domain=example.com",
        " X-Racetrack-Auth=EVIL",
        "\tX-Racetrack-Auth=EVIL",
        "X-Racetrack-Auth =EVIL",
        "X-Racetrack-Auth\t= EVIL",
        "=X-Racetrack-Auth=EVIL",
        " = X-Racetrack-Auth=EVIL",
        "X-Racetrack-Auth=\"EVIL\"",
        "X-Racetrack-Auth=",
        "X-Racetrack-Auth",
        ";X-Racetrack-Auth=EVIL",
        "; ; X-Racetrack-Auth=EVIL",
    ];
    let (listener, address) = listener().await;
    let lines = cookies.map(|cookie| format!("set-cookie: {cookie}\r\n")).concat();
    let answer = format!("HTTP/1.1 200 OK\r\nset-cookie: theme=dark\r\n{lines}content-length: 2\r\n\r\nok");
    tokio::spawn(serve(listener, answer, true));
    let (_, headers, _) = get(&proxy(&[&address]).await, "/attack").await;
    let passed: Vec<_> = headers.get_all("set-cookie").iter().collect();
    assert_eq!(passed, ["theme=dark"]);
}
