//! Sends one call to one address, over a connection that is there or a new one.

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::Response;
use axum::http::header::HOST;
use hyper::body::Incoming;

use super::connection::{Connection, Unanswered};
use super::failure::ForwardError;
use super::pool::Pool;

/// The number of bytes from which on a body counts as large: what surely fits into the buffers on its way.
const LARGE: u64 = 64 << 10;

/// A call whose answer has begun.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) response: Response<Incoming>,
    pub(super) connection: Connection,
    /// Whether the caller may still be sending.
    pub(super) is_large: bool,
}

/// Why a call was not answered.
#[derive(Debug)]
pub(super) enum CallError {
    /// Nothing of the request was sent; here it is.
    NotSent(Box<(ForwardError, Request)>),
    /// The job may have seen the request, which does no harm when another replica gets it too; here it is.
    Repeatable(Box<(ForwardError, Request)>),
    /// The job may have seen the request.
    Broken(ForwardError),
}

/// Sends the request over an idle connection or, if there is none or it turns out to be dead, a new one.
pub(super) async fn send(pool: &Pool, address: &str, mut request: Request) -> Result<Call, CallError> {
    let is_large = request.body().size_hint().upper().is_none_or(|length| length > LARGE);
    let broken = |source| ForwardError::Call { address: address.to_owned(), source };
    if let Some(connection) = pool.take(address) {
        request.headers_mut().insert(HOST, connection.host().clone());
        let copy = copy_of_repeatable(&request);
        match connection.send(request).await {
            Ok((response, connection)) => return Ok(Call { response, connection, is_large }),
            Err(Unanswered { source, request: unsent }) => {
                request =
                    unsent.map(|unsent| *unsent).or(copy).ok_or_else(|| CallError::Broken(broken(source)))?;
            }
        }
    }
    let connection = match Connection::open(address).await {
        Ok(connection) => connection,
        Err(error) => return Err(CallError::NotSent(Box::new((error, request)))),
    };
    request.headers_mut().insert(HOST, connection.host().clone());
    let copy = copy_of_repeatable(&request);
    match connection.send(request).await {
        Ok((response, connection)) => Ok(Call { response, connection, is_large }),
        Err(Unanswered { source, request: unsent }) => {
            let error = broken(source);
            Err(match (unsent, copy) {
                (Some(unsent), _) => CallError::NotSent(Box::new((error, *unsent))),
                (None, Some(copy)) => CallError::Repeatable(Box::new((error, copy))),
                (None, None) => CallError::Broken(error),
            })
        }
    }
}

/// A copy of a request that does no harm when the job gets it twice.
fn copy_of_repeatable(request: &Request) -> Option<Request> {
    if !request.method().is_idempotent() || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(Body::empty());
    request.method().clone_into(copy.method_mut());
    request.uri().clone_into(copy.uri_mut());
    request.headers().clone_into(copy.headers_mut());
    Some(copy)
}
