//! A single request, by the program `curl`: certificates and proxies are those of the system, and nobody has to compile
//! HTTP and TLS for the few sources that are elsewhere.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use url::Url;

/// For the connection, with its protection.
const CONNECT_SECONDS: &str = "30";

/// How long no byte may come: none of the head of the answer, none of its body.
const SILENCE_SECONDS: &str = "60";

const BUFFER_BYTES: usize = 64 * 1024;

/// Begins the line on which curl says what the answer was, among whatever else it says.
const MARK: &str = "racetrack-answer ";

/// curl's exit code for more bytes than `--max-filesize`.
const TOO_LARGE: i32 = 63;

/// What came of a request.
pub(super) enum Outcome {
    /// There was no connection, or no answer.
    Unanswered(CurlError),
    /// There was an answer.
    Answered {
        /// Such as 404.
        status: u16,
        /// Where the answer redirects to.
        location: Option<String>,
        /// Everything, or why it is not everything.
        body: Result<Vec<u8>, CurlError>,
    },
    /// The answer has more bytes than wanted.
    TooLarge,
}

/// Why curl did not get everything.
#[derive(Debug, thiserror::Error)]
pub enum CurlError {
    /// It says why.
    #[error("{0}")]
    Said(String),
    /// It does not.
    #[error("curl ended with {0}")]
    Silent(ExitStatus),
}

/// Makes one request and follows no redirect. The body has at most `limit` bytes; `progress` hears how many there are so
/// far. It is an error of its own if there is no curl.
pub(super) fn get(url: &Url, limit: u64, time: Duration, progress: impl FnMut(u64)) -> io::Result<Outcome> {
    let mut curl = Running(command(limit, time).spawn()?);
    let mut config = curl.0.stdin.take().expect("the input was asked for");
    // A curl that does not read its input says why, which is read below.
    let _ = writeln!(config, "url = {}", quoted(url.as_str()));
    drop(config);
    let words = read_all(curl.0.stderr.take().expect("the output was asked for"));
    let body = curl.0.stdout.take().expect("the output was asked for");
    let body = read(body.take(limit + 1), progress)?;
    if body.len() as u64 > limit {
        return Ok(Outcome::TooLarge);
    }
    let status = curl.0.wait()?;
    let words = words.join().expect("reading does not panic")?;
    Ok(outcome(body, status, &String::from_utf8_lossy(&words)))
}

/// Ends curl when it is dropped, whether everything was read or not.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// Without an address: everybody on the machine sees arguments, and queries of addresses may be signatures. So curl reads it
/// from its input.
fn command(limit: u64, time: Duration) -> Command {
    let mut command = Command::new("curl");
    // Must come first. What ~/.curlrc says is meant for other downloads, and could do anything to this one.
    command.arg("--disable");
    // An address is one address, whatever brackets it has.
    command.args(["--silent", "--show-error", "--globoff", "--proto", "=http,https"]);
    command.args(["--user-agent", concat!("racetrack-xtask/", env!("CARGO_PKG_VERSION"))]);
    command.args(["--connect-timeout", CONNECT_SECONDS]);
    command.args(["--speed-limit", "1", "--speed-time", SILENCE_SECONDS]);
    command.arg("--max-time").arg(time.as_secs_f64().to_string());
    // Refuses what is told to be too large, and bodies that only describe an error.
    command.arg("--max-filesize").arg(limit.to_string()).arg("--fail");
    // Beside the body rather than after it, which curl can since 7.63.
    command.args(["--write-out", &format!("%{{stderr}}\\n{MARK}%{{http_code}} %{{redirect_url}}\\n")]);
    command.args(["--config", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A value in a configuration of curl.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
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

/// Reads beside the body: a redirect to a long address would fill the pipe, and curl would wait.
fn read_all(mut from: ChildStderr) -> JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut content = Vec::new();
        from.read_to_end(&mut content).map(|_| content)
    })
}

fn outcome(body: Vec<u8>, ended: ExitStatus, words: &str) -> Outcome {
    if ended.code() == Some(TOO_LARGE) {
        return Outcome::TooLarge;
    }
    let answer = words.lines().find_map(|line| line.strip_prefix(MARK)).unwrap_or_default();
    let (status, location) = answer.split_once(' ').unwrap_or_default();
    // curl writes 000 for no answer.
    match status.parse() {
        Ok(0) | Err(_) => Outcome::Unanswered(reason(ended, words)),
        Ok(status) => {
            let location = Some(location).filter(|location| !location.is_empty()).map(str::to_owned);
            let body = if ended.success() { Ok(body) } else { Err(reason(ended, words)) };
            Outcome::Answered { status, location, body }
        }
    }
}

/// `curl: (6) Could not resolve host: x` without what comes before the reason, and without anything that a terminal would
/// act upon.
fn reason(ended: ExitStatus, words: &str) -> CurlError {
    let Some(said) = words.lines().find_map(|line| line.strip_prefix("curl: ")) else {
        return CurlError::Silent(ended);
    };
    let said = said.strip_prefix('(').and_then(|said| said.split_once(") ")).map_or(said, |(_, said)| said);
    CurlError::Said(said.chars().filter(|c| !c.is_control()).collect())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::super::http::tests::{answer, serve};
    use super::*;

    fn ended(code: i32, words: &str) -> Outcome {
        outcome(b"body".to_vec(), ExitStatus::from_raw(code << 8), words)
    }

    fn unanswered(code: i32, words: &str) -> String {
        match ended(code, words) {
            Outcome::Unanswered(error) => error.to_string(),
            _ => panic!("there is an answer"),
        }
    }

    #[test]
    fn an_address_arrives_as_it_is() {
        let (server, asked) = serve(|_| answer(200, b""));
        let url = Url::parse(&format!(r"{server}/a[1-2]/%22?b=\c&{{d,e}}|`#")).unwrap();
        assert!(get(&url, 1, Duration::from_mins(1), |_| {}).is_ok());
        assert_eq!(asked.recv().unwrap(), r"/a[1-2]/%22?b=\c&{d,e}|`");
        assert_eq!(quoted(r#"a\"b"#), r#""a\\\"b""#);
    }

    #[test]
    fn curl_is_not_held_up_by_what_it_has_to_say() {
        let to = "x".repeat(90_000);
        let answer = format!("HTTP/1.1 302 X\r\nlocation: {to}\r\nconnection: close\r\n\r\n");
        let (server, _asked) = serve(move |_| answer.clone().into_bytes());
        let url = Url::parse(&server).unwrap();
        let Outcome::Answered { status: 302, location: Some(location), .. } =
            get(&url, 1, Duration::from_mins(1), |_| {}).unwrap()
        else {
            panic!("there is no redirect");
        };
        assert_eq!(location, format!("{server}/{to}"));
    }

    #[test]
    fn an_answer_is_told_apart_from_the_words_around_it() {
        for words in [
            "\nracetrack-answer 302 http://h/x y\n",
            "curl: (18) why\n\nracetrack-answer 302 http://h/x y\n",
            "\nracetrack-answer 302 http://h/x y\ncurl: (18) why\n",
        ] {
            let Outcome::Answered { status: 302, location: Some(location), .. } = ended(18, words) else {
                panic!("{words}");
            };
            assert_eq!(location, "http://h/x y");
        }
        let Outcome::Answered { status: 200, location: None, body } = ended(0, "\nracetrack-answer 200 \n")
        else {
            panic!("an answer");
        };
        assert_eq!(body.unwrap(), b"body");
        assert!(matches!(ended(63, "curl: (63) why\n\nracetrack-answer 200 \n"), Outcome::TooLarge));
    }

    #[test]
    fn reasons_are_one_harmless_line() {
        let no_answer = "\nracetrack-answer 000 \n";
        let said = |words: &str| unanswered(6, &format!("{words}{no_answer}"));
        assert_eq!(said("curl: (6) Could not resolve host: x\n"), "Could not resolve host: x");
        assert_eq!(said("curl: (60) no\x1b[31m\nMore details here\n"), "no[31m");
        assert_eq!(unanswered(2, "curl: option --x: is unknown\ncurl: try more\n"), "option --x: is unknown");
        assert_eq!(said(""), "curl ended with exit status: 6");
    }
}
