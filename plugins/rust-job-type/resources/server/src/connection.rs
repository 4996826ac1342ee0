//! One connection: requests one after the other, each within its time.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use super::http::{Head, Request, RequestError, Response};
use super::routes::Job;
use super::server::Activity;

/// How long a connection may be silent between two requests.
const IDLE: Duration = Duration::from_secs(75);

/// How long the head of a request may take.
const HEAD: Duration = Duration::from_secs(30);

/// How long the body of a request may take.
const BODY: Duration = Duration::from_secs(300);

/// How long a client may take no byte of a response.
const WRITE: Duration = Duration::from_secs(30);

/// How long to listen to what a refused client still sends, so that it gets to read why.
const LINGER: Duration = Duration::from_secs(1);

/// Serves the connection until either side has enough.
pub(crate) fn serve(stream: TcpStream, job: &Job, activity: &Activity) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE))?;
    let mut reader = BufReader::new(TimedStream { stream, deadline: Instant::now() });
    loop {
        reader.get_mut().deadline = Instant::now() + IDLE;
        match reader.fill_buf() {
            Ok([]) => return Ok(()),
            Ok(_) => {}
            Err(error) if is_silence(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
        let _request = activity.begin();
        match read(&mut reader) {
            Ok(request) => {
                let keep_alive = request.keep_alive && !activity.is_ending();
                let response = job.respond(&request);
                response.write(&mut reader.get_mut().stream, keep_alive, request.method == "HEAD")?;
                if !keep_alive {
                    return Ok(());
                }
            }
            Err(RequestError::Connection(error)) if is_silence(&error) => {
                return refuse(reader, 408, "the request takes too long");
            }
            Err(RequestError::Connection(error)) => return Err(error),
            Err(RequestError::Refused(status, message)) => return refuse(reader, status, message),
        }
    }
}

/// Answers with an error and closes: where the next request begins is not known.
pub(crate) fn refuse(mut reader: BufReader<TimedStream>, status: u16, message: &str) -> io::Result<()> {
    let response = Response::error(status, "RequestError", message);
    let timed = reader.get_mut();
    response.write(&mut timed.stream, false, false)?;
    timed.stream.shutdown(Shutdown::Write)?;
    timed.deadline = Instant::now() + LINGER;
    match io::copy(&mut reader, &mut io::sink()) {
        Err(error) if !is_silence(&error) => Err(error),
        _ => Ok(()),
    }
}

fn read(reader: &mut BufReader<TimedStream>) -> Result<Request, RequestError> {
    reader.get_mut().deadline = Instant::now() + HEAD;
    let head = Head::read(reader)?;
    if head.expects_continue {
        reader.get_mut().stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    reader.get_mut().deadline = Instant::now() + BODY;
    head.read_body(reader)
}

/// A stream whose reads all end by one deadline, however slowly the bytes come.
pub(crate) struct TimedStream {
    stream: TcpStream,
    deadline: Instant,
}

impl TimedStream {
    /// A stream that is about to be refused.
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, deadline: Instant::now() }
    }
}

impl Read for TimedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}
