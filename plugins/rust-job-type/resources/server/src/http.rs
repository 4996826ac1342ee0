//! HTTP/1.1 as far as a job needs it: requests with limits, and whole responses.
//!
//! What is ambiguous is refused rather than guessed, so that a proxy in front and this server never disagree about
//! where a request ends.

use std::io::{self, BufRead, Read, Write};

use serde_json::{Value, json};

/// The longest head of a request, in bytes: request line and headers.
const HEAD_BYTES: usize = 32 * 1024;

/// The largest body, in bytes.
const BODY_BYTES: u64 = 64 * 1024 * 1024;

/// The longest line that begins a chunk, in bytes.
const CHUNK_LINE_BYTES: usize = 1024;

/// The first part of a request, which says how its body is read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    method: String,
    target: String,
    keep_alive: bool,
    /// Whether the client waits to be told to send the body.
    pub(crate) expects_continue: bool,
    body: BodyLength,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyLength {
    Known(u64),
    Chunked,
}

/// A whole request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Whether the client may send another request on the same connection.
    pub(crate) keep_alive: bool,
    pub(crate) body: Vec<u8>,
}

/// Why there is no request.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// The connection ended, or fell silent.
    Connection(io::Error),
    /// The request breaks the protocol or a limit; the status and text for the client.
    Refused(u16, &'static str),
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    content_type: &'static str,
    header: Option<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Head {
    /// Reads the head of a request.
    pub(crate) fn read(reader: &mut impl BufRead) -> Result<Self, RequestError> {
        let mut budget = HEAD_BYTES;
        let mut line = read_line(reader, &mut budget)?;
        if line.is_empty() {
            // Left over from the request before, by clients that count wrongly.
            line = read_line(reader, &mut budget)?;
        }
        let (method, target, is_older) = request_line(&line)?;
        let mut headers = Headers::default();
        loop {
            let line = read_line(reader, &mut budget)?;
            if line.is_empty() {
                break;
            }
            headers.take(&line)?;
        }
        if headers.hosts > 1 || (headers.hosts == 0 && !is_older) {
            return Err(RequestError::Refused(400, "exactly one Host header is needed"));
        }
        let body = headers.body(is_older)?;
        let expects_continue = headers.expects_continue && !is_older;
        Ok(Self { method, target, keep_alive: !headers.close && !is_older, expects_continue, body })
    }

    /// Reads the body.
    pub(crate) fn read_body(self, reader: &mut impl BufRead) -> Result<Request, RequestError> {
        let body = match self.body {
            BodyLength::Known(length) => read_exactly(reader, length)?,
            BodyLength::Chunked => read_chunks(reader)?,
        };
        let Self { method, target, keep_alive, .. } = self;
        Ok(Request { method, target, keep_alive, body })
    }
}

impl Request {
    /// The path, without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split_once('?').map_or(&self.target, |(path, _)| path)
    }
}

impl Response {
    /// A JSON document.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, content_type: "application/json", header: None, body: body.to_string().into_bytes() }
    }

    /// An error, in the shape that all jobs have.
    pub(crate) fn error(status: u16, kind: &str, message: &str) -> Self {
        Self::json(status, &json!({ "error": message, "type": kind }))
    }

    /// A text.
    pub(crate) fn text(content_type: &'static str, body: String) -> Self {
        Self { status: 200, content_type, header: None, body: body.into_bytes() }
    }

    /// The way to another page.
    pub(crate) fn redirect(location: &str) -> Self {
        // What is no visible character could end the header.
        let location = location.chars().filter(char::is_ascii_graphic).collect();
        let body = Vec::new();
        Self { status: 307, content_type: "text/plain", header: Some(("location", location)), body }
    }

    /// The response with one more header.
    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.header = Some((name, value.to_owned()));
        self
    }

    /// Writes the response; `without_body` is for `HEAD`.
    pub(crate) fn write(&self, out: &mut impl Write, keep_alive: bool, without_body: bool) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(self.body.len() + 256);
        write!(bytes, "HTTP/1.1 {} {}\r\n", self.status, reason(self.status))?;
        write!(bytes, "content-type: {}\r\ncontent-length: {}\r\n", self.content_type, self.body.len())?;
        if let Some((name, value)) = &self.header {
            write!(bytes, "{name}: {value}\r\n")?;
        }
        let connection = if keep_alive { "keep-alive" } else { "close" };
        write!(bytes, "connection: {connection}\r\n\r\n")?;
        if !without_body {
            bytes.extend_from_slice(&self.body);
        }
        out.write_all(&bytes)?;
        out.flush()
    }
}

impl From<io::Error> for RequestError {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

/// The headers that decide how a request is read.
#[derive(Default)]
struct Headers {
    hosts: usize,
    length: Option<u64>,
    is_chunked: bool,
    close: bool,
    expects_continue: bool,
}

impl Headers {
    fn take(&mut self, line: &str) -> Result<(), RequestError> {
        let bad = RequestError::Refused(400, "a header is malformed");
        let Some((name, value)) = line.split_once(':') else { return Err(bad) };
        // A blank before the name would continue the header before, and one after it is read differently by proxies.
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(bad);
        }
        let value = value.trim_matches([' ', '\t']);
        match name.to_ascii_lowercase().as_str() {
            "host" => self.hosts += 1,
            "content-length" => {
                let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                let length = digits.then(|| value.parse().ok()).flatten();
                let length = length.ok_or(RequestError::Refused(400, "the Content-Length is no number"))?;
                if self.length.is_some_and(|before| before != length) {
                    return Err(RequestError::Refused(400, "there are two different Content-Lengths"));
                }
                self.length = Some(length);
            }
            "transfer-encoding" => {
                if self.is_chunked || !value.eq_ignore_ascii_case("chunked") {
                    return Err(RequestError::Refused(
                        501,
                        "the only Transfer-Encoding known here is chunked",
                    ));
                }
                self.is_chunked = true;
            }
            "connection" => {
                self.close |= value.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"));
            }
            "expect" if value.eq_ignore_ascii_case("100-continue") => self.expects_continue = true,
            "expect" => {
                return Err(RequestError::Refused(417, "the only expectation known here is 100-continue"));
            }
            _ => {}
        }
        Ok(())
    }

    fn body(&self, is_older: bool) -> Result<BodyLength, RequestError> {
        match (self.is_chunked, self.length) {
            (true, Some(_)) => {
                Err(RequestError::Refused(400, "Content-Length and Transfer-Encoding exclude each other"))
            }
            (true, None) if is_older => Err(RequestError::Refused(400, "HTTP/1.0 has no Transfer-Encoding")),
            (true, None) => Ok(BodyLength::Chunked),
            (false, Some(length)) if length > BODY_BYTES => Err(too_large()),
            (false, length) => Ok(BodyLength::Known(length.unwrap_or(0))),
        }
    }
}

/// Method, target, and whether it is HTTP/1.0.
fn request_line(line: &str) -> Result<(String, String, bool), RequestError> {
    let parts: Vec<_> = line.split(' ').collect();
    let [method, target, version] = parts[..] else {
        return Err(RequestError::Refused(400, "the request line is malformed"));
    };
    if method.is_empty() || !method.bytes().all(is_token) {
        return Err(RequestError::Refused(400, "the method is malformed"));
    }
    let is_older = match version {
        "HTTP/1.1" => false,
        "HTTP/1.0" => true,
        _ => return Err(RequestError::Refused(505, "the versions known here are HTTP/1.1 and HTTP/1.0")),
    };
    // Servers must understand whole addresses too.
    let path = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |start| &rest[start..]),
        None => target,
    };
    if !path.starts_with('/') {
        return Err(RequestError::Refused(400, "the target must begin with a slash"));
    }
    Ok((method.to_owned(), path.to_owned(), is_older))
}

/// Reads a line that ends with CR LF, without these; the budget shrinks by its length.
fn read_line(reader: &mut impl BufRead, budget: &mut usize) -> Result<String, RequestError> {
    let mut line = Vec::new();
    let read = reader.by_ref().take(*budget as u64).read_until(b'\n', &mut line)?;
    *budget -= read;
    if line.pop() != Some(b'\n') {
        return Err(match *budget {
            0 => RequestError::Refused(431, "the head of the request is too large"),
            _ => io::Error::from(io::ErrorKind::UnexpectedEof).into(),
        });
    }
    let is_text = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    if line.pop() != Some(b'\r') && !line.is_empty() || !line.iter().all(is_text) {
        return Err(RequestError::Refused(400, "a line of the head is malformed"));
    }
    String::from_utf8(line).map_err(|_| RequestError::Refused(400, "the head is not UTF-8"))
}

/// Reads that many bytes; memory is taken as they come, not as they are announced.
fn read_exactly(reader: &mut impl BufRead, length: u64) -> Result<Vec<u8>, RequestError> {
    let mut bytes = Vec::new();
    if (reader.by_ref().take(length).read_to_end(&mut bytes)? as u64) < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(bytes)
}

fn read_chunks(reader: &mut impl BufRead) -> Result<Vec<u8>, RequestError> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader, &mut { CHUNK_LINE_BYTES })?;
        let size = line.split(';').next().unwrap_or_default().trim_end_matches([' ', '\t']);
        // `from_str_radix` would take a sign.
        let digits = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = digits.then(|| u64::from_str_radix(size, 16).ok()).flatten();
        let size = size.ok_or(RequestError::Refused(400, "the size of a chunk is malformed"))?;
        if size == 0 {
            break;
        }
        if size > BODY_BYTES - body.len() as u64 {
            return Err(too_large());
        }
        body.append(&mut read_exactly(reader, size)?);
        if read_exactly(reader, 2)? != b"\r\n" {
            return Err(RequestError::Refused(400, "a chunk does not end where it should"));
        }
    }
    let mut budget = HEAD_BYTES;
    while !read_line(reader, &mut budget)?.is_empty() {}
    Ok(body)
}

fn too_large() -> RequestError {
    RequestError::Refused(413, "the body is larger than 64 MiB")
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, String> {
        let mut bytes = text.as_bytes();
        let request = Head::read(&mut bytes).and_then(|head| head.read_body(&mut bytes));
        request.map_err(|error| match error {
            RequestError::Refused(status, _) => status.to_string(),
            RequestError::Connection(error) => error.kind().to_string(),
        })
    }

    #[test]
    fn requests_are_read_whole() {
        let request =
            read("POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello, rest").expect("valid");
        assert_eq!(
            (request.method.as_str(), request.path(), &request.body[..]),
            ("POST", "/a", &b"hello"[..])
        );
        assert!(request.keep_alive);
        let request = read("\r\nGET http://x/a HTTP/1.0\r\n\r\n").expect("valid");
        assert_eq!((request.path(), request.keep_alive, request.body.len()), ("/a", false, 0));
        assert!(
            !read("GET / HTTP/1.1\r\nhost:x\r\nconnection: foo, Close\r\n\r\n").expect("valid").keep_alive
        );
    }

    #[test]
    fn chunks_are_joined() {
        let chunked = |chunks: &str| {
            read(&format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"))
                .map(|request| String::from_utf8(request.body).expect("is text"))
        };
        assert_eq!(
            chunked("5\r\nhello\r\n2 ;ext=1\r\n, \r\n0\r\ntrailer: x\r\n\r\n"),
            Ok("hello, ".to_owned())
        );
        assert_eq!(chunked("+5\r\nhello\r\n0\r\n\r\n"), Err("400".to_owned()));
        assert_eq!(chunked("5\r\nhello!\r\n0\r\n\r\n"), Err("400".to_owned()));
        assert_eq!(chunked("ffffffffffffffff\r\n"), Err("413".to_owned()));
        assert_eq!(chunked("fffffffffffffffff\r\n"), Err("400".to_owned()));
        assert_eq!(chunked("5\r\nhel"), Err("unexpected end of file".to_owned()));
    }

    #[test]
    fn what_is_malformed_ambiguous_or_too_large_is_refused() {
        let headers = |headers: &str| {
            read(&format!("POST / HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n")).expect_err(headers)
        };
        assert_eq!(headers("Content-Length: 1\r\nTransfer-Encoding: chunked"), "400");
        assert_eq!(headers("Content-Length: 1\r\nContent-Length: 2"), "400");
        assert_eq!(headers("Content-Length: +1"), "400");
        assert_eq!(headers("Content-Length: 99999999999999999999"), "400");
        assert_eq!(headers("Content-Length: 67108865"), "413");
        assert_eq!(headers("Transfer-Encoding: gzip, chunked"), "501");
        assert_eq!(headers("Transfer-Encoding : chunked"), "400");
        assert_eq!(headers(" folded: x"), "400");
        assert_eq!(headers("a: \u{1}"), "400");
        assert_eq!(headers("a: x\rb: y"), "400");
        assert_eq!(headers("a: x\nb: y"), "400");
        assert_eq!(headers("Host: y"), "400");
        assert_eq!(headers("Expect: tea"), "417");
        assert_eq!(headers(&format!("a: {}", "x".repeat(HEAD_BYTES))), "431");
        for (line, status) in [
            ("GET  / HTTP/1.1", "400"),
            ("GET / HTTP/2.0", "505"),
            ("GET * HTTP/1.1", "400"),
            ("G:T / HTTP/1.1", "400"),
            ("GET /", "400"),
        ] {
            assert_eq!(read(&format!("{line}\r\nHost: x\r\n\r\n")).expect_err(line), status);
        }
        assert_eq!(read("GET / HTTP/1.1\r\n\r\n").expect_err("no host"), "400");
        assert_eq!(read("GET / HT").expect_err("cut"), "unexpected end of file");
    }

    #[test]
    fn responses_say_how_long_they_are() {
        let mut bytes = Vec::new();
        let response = Response::redirect("/a\r\nb: c").with_header("allow", "GET");
        response.write(&mut bytes, false, false).expect("memory takes anything");
        let text = "HTTP/1.1 307 Temporary Redirect\r\ncontent-type: text/plain\r\ncontent-length: 0\r\nallow: GET\r\nconnection: close\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&bytes), text);
        let Some((_, location)) = Response::redirect("/a\r\nb: c").header else { panic!("has a location") };
        assert_eq!(location, "/ab:c");
    }
}
