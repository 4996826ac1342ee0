//! Downloads, within limits. Redirects are followed here rather than by the HTTP crate, so that none leads from a protected
//! connection to an open one.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use ureq::http::StatusCode;
use ureq::http::header::LOCATION;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use url::Url;

/// How often a download may be sent elsewhere.
const REDIRECTS: usize = 10;

const CONNECT_LIMIT: Duration = Duration::from_secs(30);
const RESPONSE_LIMIT: Duration = Duration::from_mins(1);
/// For one request with its body, whatever the pace.
const REQUEST_LIMIT: Duration = Duration::from_mins(10);

const BUFFER_BYTES: usize = 64 * 1024;

/// Speaks HTTP with the certificates of this machine, and with the proxies that the environment names.
pub(crate) struct HttpClient {
    agent: ureq::Agent,
}

/// Why nothing was downloaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// There was no connection, or no answer.
    #[error("there is no answer from {at}")]
    Request {
        /// The address without its query.
        at: String,
        /// What happened.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The server refused.
    #[error("{at} answered {}", described(*.status))]
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
        source: io::Error,
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
    /// Reads the certificates; connects to nothing.
    pub(crate) fn new() -> Self {
        Self::with_limit(REQUEST_LIMIT)
    }

    fn with_limit(request_limit: Duration) -> Self {
        // Without certificates every protected connection fails, and says so.
        let certificates = rustls_native_certs::load_native_certs().certs;
        let certificates: Vec<_> =
            certificates.iter().map(|found| Certificate::from_der(found.as_ref()).to_owned()).collect();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(certificates)))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = ureq::Agent::config_builder()
            .tls_config(tls)
            .user_agent(concat!("racetrack-xtask/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_connect(Some(CONNECT_LIMIT))
            .timeout_recv_response(Some(RESPONSE_LIMIT))
            .timeout_global(Some(request_limit));
        Self { agent: config.build().into() }
    }

    /// Downloads at most `limit` bytes; `progress` hears how many there are so far.
    pub(crate) fn get(&self, url: &Url, limit: u64, progress: impl FnMut(u64)) -> Result<Vec<u8>, HttpError> {
        let mut current = url.clone();
        for _ in 0..=REDIRECTS {
            let at = shown(&current);
            let mut response = self
                .agent
                .get(current.as_str())
                .call()
                .map_err(|source| HttpError::Request { at: at.clone(), source: Box::new(source) })?;
            let status = response.status();
            let location = response.headers().get(LOCATION).filter(|_| status.is_redirection());
            if let Some(location) = location {
                current = next(&current, &String::from_utf8_lossy(location.as_bytes()))?;
                continue;
            }
            if status != StatusCode::OK {
                return Err(HttpError::Status { at, status: status.as_u16() });
            }
            if response.body().content_length().is_some_and(|length| length > limit) {
                return Err(HttpError::TooLarge { at, limit });
            }
            let content = read(response.body_mut().as_reader().take(limit + 1), progress)
                .map_err(|source| HttpError::Read { at: at.clone(), source })?;
            return if content.len() as u64 > limit {
                Err(HttpError::TooLarge { at, limit })
            } else {
                Ok(content)
            };
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

fn read(mut from: impl Read, mut progress: impl FnMut(u64)) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(content),
            Ok(length) => content.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        progress(content.len() as u64);
    }
}

/// Queries of redirected downloads are often signatures, which are nobody's business.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.to_string()
}

const fn refusal(is_downgrade: bool) -> &'static str {
    if is_downgrade { "would give up the protection of https" } else { "is no address to follow" }
}

fn described(status: u16) -> String {
    StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |status| status.to_string())
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
            "http://a/b redirects to `file:///etc`, which is no address to follow"
        );
        assert!(matches!(to("https://a", "https://"), Err(HttpError::Redirect { is_downgrade: false, .. })));
    }

    #[test]
    fn a_server_that_keeps_silent_is_not_waited_for() {
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = url(&format!("http://{}", silent.local_addr().unwrap()));
        let client = HttpClient::with_limit(Duration::from_millis(50));
        let error = client.get(&url, 10, |_| {}).unwrap_err();
        assert!(
            matches!(&error, HttpError::Request { source, .. } if matches!(**source, ureq::Error::Timeout(_))),
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
