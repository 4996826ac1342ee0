//! Downloads, within limits. Redirects are followed here rather than by curl, so that none leads from a protected connection
//! to an open one.

use std::io;
use std::time::Duration;

use url::Url;

use super::curl::{self, CurlError, Outcome};

/// How often a download may be sent elsewhere.
const REDIRECTS: usize = 10;

/// For one request with its body, whatever the pace.
const REQUEST_LIMIT: Duration = Duration::from_mins(10);

/// Speaks HTTP by the program `curl`: with the certificates of this machine, and with the proxies that the environment names
/// as curl, cargo and git read it.
pub(super) struct HttpClient {
    request_limit: Duration,
}

/// Why nothing was downloaded.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// There is no curl, or it could not be waited for.
    #[error("cannot run `curl`, which `script/setup --yes up` installs")]
    Run(#[source] io::Error),
    /// There was no connection, or no answer.
    #[error("there is no answer from {at}")]
    Request {
        /// The address without its query.
        at: String,
        /// What happened.
        #[source]
        source: CurlError,
    },
    /// The server refused.
    #[error("{at} answered {status}{}", meaning(*.status))]
    Status {
        /// The address without its query.
        at: String,
        /// Such as 404.
        status: u16,
    },
    /// The connection ended early.
    #[error("the download from {at} broke off")]
    Read {
        /// The address without its query.
        at: String,
        /// What happened.
        #[source]
        source: CurlError,
    },
    /// More bytes than wanted.
    #[error("{at} sends more than {} MiB", limit >> 20)]
    TooLarge {
        /// The address without its query.
        at: String,
        /// In bytes.
        limit: u64,
    },
    /// Redirect after redirect.
    #[error("{at} is redirected more than {REDIRECTS} times")]
    TooManyRedirects {
        /// The address that was asked for.
        at: String,
    },
    /// A redirect to somewhere that is not gone to.
    #[error("{at} redirects to `{to}`, which {}", refusal(*.is_downgrade))]
    Redirect {
        /// The address without its query.
        at: String,
        /// Where it leads.
        to: String,
        /// Whether it is the protection that is missing.
        is_downgrade: bool,
    },
}

impl HttpClient {
    /// Runs nothing yet.
    pub(super) const fn new() -> Self {
        Self { request_limit: REQUEST_LIMIT }
    }

    /// Downloads at most `limit` bytes; `progress` hears how many there are so far.
    pub(super) fn get(
        &self,
        url: &Url,
        limit: u64,
        mut progress: impl FnMut(u64),
    ) -> Result<Vec<u8>, HttpError> {
        let mut current = url.clone();
        for _ in 0..=REDIRECTS {
            let at = shown(&current);
            let outcome =
                curl::get(&current, limit, self.request_limit, &mut progress).map_err(HttpError::Run)?;
            match outcome {
                Outcome::Unanswered(source) => return Err(HttpError::Request { at, source }),
                Outcome::Answered { location: Some(location), .. } => current = next(&current, &location)?,
                Outcome::Answered { status: 200, body, .. } => {
                    return body.map_err(|source| HttpError::Read { at, source });
                }
                Outcome::Answered { status, .. } => return Err(HttpError::Status { at, status }),
                Outcome::TooLarge => return Err(HttpError::TooLarge { at, limit }),
            }
        }
        Err(HttpError::TooManyRedirects { at: shown(url) })
    }
}

/// Where a redirect leads.
fn next(from: &Url, location: &str) -> Result<Url, HttpError> {
    let refused = |to: String, is_downgrade| HttpError::Redirect { at: shown(from), to, is_downgrade };
    let printable = || location.escape_debug().to_string();
    let to = from.join(location).map_err(|_| refused(printable(), false))?;
    match (from.scheme(), to.scheme()) {
        ("https", "https") | ("http", "http" | "https") => Ok(to),
        ("https", "http") => Err(refused(shown(&to), true)),
        _ => Err(refused(printable(), false)),
    }
}

/// Queries of redirected downloads are often signatures, which are nobody's business.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.to_string()
}

const fn refusal(is_downgrade: bool) -> &'static str {
    if is_downgrade { "would give up the protection of https" } else { "is not an address to follow" }
}

/// For the statuses that servers of files have, after a space.
const fn meaning(status: u16) -> &'static str {
    match status {
        401 => " Unauthorized",
        403 => " Forbidden",
        404 => " Not Found",
        407 => " Proxy Authentication Required",
        410 => " Gone",
        429 => " Too Many Requests",
        500 => " Internal Server Error",
        502 => " Bad Gateway",
        503 => " Service Unavailable",
        _ => "",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{Ipv4Addr, TcpListener};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// A server that gives each path its answer. Returns its address, and the paths it is asked for.
    pub(crate) fn serve(
        answer: impl Fn(&str) -> Vec<u8> + Send + 'static,
    ) -> (String, mpsc::Receiver<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (sender, asked) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let head: Vec<_> = BufReader::new(&stream)
                    .lines()
                    .map(Result::unwrap)
                    .take_while(|line| !line.is_empty())
                    .collect();
                let path = head[0].split(' ').nth(1).unwrap().to_owned();
                let answer = answer(&path);
                // Told before it is answered, so that whoever has an answer finds its request.
                if sender.send(path).is_err() {
                    return;
                }
                // The client may have heard enough already.
                let _ = stream.write_all(&answer);
            }
        });
        (address, asked)
    }

    pub(crate) fn answer(status: u16, body: &[u8]) -> Vec<u8> {
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn redirects_keep_the_protection_they_began_with() {
        let to = |from: &str, location: &str| next(&url(from), location).map(|url| url.to_string());
        assert_eq!(to("https://a/b/c", "../d").unwrap(), "https://a/d");
        assert_eq!(to("https://a/b", "//other/d").unwrap(), "https://other/d");
        assert_eq!(to("http://a/b", "https://a/b").unwrap(), "https://a/b");
        let message = |from: &str, location: &str| to(from, location).unwrap_err().to_string();
        assert_eq!(
            message("https://a/b?key=1", "http://a/b?key=2"),
            "https://a/b redirects to `http://a/b`, which would give up the protection of https"
        );
        assert_eq!(
            message("http://a/b", "file:///etc"),
            "http://a/b redirects to `file:///etc`, which is not an address to follow"
        );
        assert!(matches!(to("https://a", "https://"), Err(HttpError::Redirect { is_downgrade: false, .. })));
    }

    #[test]
    fn a_server_that_keeps_silent_is_not_waited_for() {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = url(&format!("http://{}", silent.local_addr().unwrap()));
        let client = HttpClient { request_limit: Duration::from_millis(50) };
        let error = client.get(&url, 10, |_| {}).unwrap_err();
        assert!(
            matches!(&error, HttpError::Request { source, .. } if source.to_string().contains("timed out")),
            "{error:?}"
        );
    }

    #[test]
    fn progress_tells_the_bytes_so_far() {
        let (address, _asked) = serve(|_| answer(200, &[b'x'; 100]));
        let mut last = 0;
        let content = HttpClient::new().get(&url(&address), 100, |bytes| last = bytes).unwrap();
        assert_eq!((content.len(), last), (100, 100));
    }

    #[test]
    fn the_limit_holds_whether_the_length_is_told_or_not() {
        let (address, _asked) = serve(|path| {
            let told = if path == "/told" { "content-length: 11\r\n" } else { "" };
            format!("HTTP/1.1 200 OK\r\n{told}connection: close\r\n\r\nhello world").into_bytes()
        });
        for path in ["told", "untold"] {
            let url = url(&format!("{address}/{path}"));
            let client = HttpClient::new();
            assert_eq!(client.get(&url, 11, |_| {}).unwrap(), b"hello world");
            assert!(matches!(client.get(&url, 10, |_| {}), Err(HttpError::TooLarge { limit: 10, .. })));
        }
    }
}
