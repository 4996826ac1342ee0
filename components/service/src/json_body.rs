//! Bodies of JSON that are read into memory: few large ones at a time, and of so many values.

use std::error::Error;
use std::time::Duration;

use axum::RequestExt;
use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::StatusCode;
use futures_util::StreamExt;
use http_body_util::LengthLimitError;
use racetrack_core::error::chain;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{ApiError, StalledBody};

/// How much of a body is read without asking for room, in bytes. Strangers may send no more.
const SMALL: usize = 16 << 10;

/// How large the bodies may be together that are larger, in KiB: one that does not say how large it is counts as
/// [`LARGEST`].
static ROOM: Semaphore = Semaphore::const_new(16 << 10);

/// How large one may be, in KiB: no route takes a larger one.
const LARGEST: u32 = 4 << 10;

/// How long a request waits for room.
const WAIT: Duration = Duration::from_secs(10);

/// How many values may be in one. Each takes many times the memory of its text.
const MAX_VALUES: usize = 50_000;

/// A body, with the room that it takes.
#[derive(Debug)]
pub struct JsonText {
    bytes: Vec<u8>,
    _room: Option<SemaphorePermit<'static>>,
}

impl JsonText {
    /// Reads the body of a request, up to the limit of its route.
    ///
    /// # Errors
    /// 413 when it is larger, 408 when it does not come, 503 when there is no room.
    pub async fn read(request: Request) -> Result<Self, ApiError> {
        let declared = request.body().size_hint().exact();
        let mut body = request.into_limited_body().into_data_stream();
        let (mut bytes, mut held) = (Vec::new(), None);
        while let Some(more) = body.next().await {
            let more = more.map_err(|error| unreadable(&error))?;
            if held.is_none() && bytes.len() + more.len() > SMALL {
                held = Some(room(declared).await?);
            }
            bytes.extend_from_slice(&more);
        }
        Ok(Self { bytes, _room: held })
    }

    /// Whether there is nothing.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The text, if it has not too many values.
    ///
    /// # Errors
    /// 400
    pub fn bytes(&self) -> Result<&[u8], ApiError> {
        if has_too_many_values(&self.bytes) {
            let message = format!("the body of the request has more than {MAX_VALUES} values");
            return Err(ApiError::invalid(message));
        }
        Ok(&self.bytes)
    }
}

async fn room(declared: Option<u64>) -> Result<SemaphorePermit<'static>, ApiError> {
    let size = declared.and_then(|size| u32::try_from(size.div_ceil(1024)).ok()).unwrap_or(LARGEST);
    let room = tokio::time::timeout(WAIT, ROOM.acquire_many(size.min(LARGEST))).await;
    let room = room.map_err(|_| {
        let message = "too many large requests are being read at once; try again later";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "TooManyRequests", message).retry_after(WAIT)
    })?;
    room.map_err(ApiError::internal)
}

fn unreadable(error: &axum::Error) -> ApiError {
    if StalledBody::is_cause_of(error) {
        return ApiError::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", StalledBody.to_string());
    }
    let status = if is_too_long(error) { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST };
    ApiError::new(status, "ValueError", format!("cannot read the body of the request: {}", chain(error)))
}

fn is_too_long(error: &(dyn Error + 'static)) -> bool {
    error.is::<LengthLimitError>() || error.source().is_some_and(is_too_long)
}

/// Every value but the first is behind a comma or an opening bracket outside of texts.
fn has_too_many_values(json: &[u8]) -> bool {
    let (mut values, mut is_text, mut is_escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            b',' | b'[' | b'{' if !is_text => values += 1,
            _ => {}
        }
    }
    values > MAX_VALUES
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::response::IntoResponse;
    use futures_util::stream;

    use super::*;

    fn request(body: Body) -> Request {
        Request::new(body)
    }

    fn status(error: ApiError) -> u16 {
        error.into_response().status().as_u16()
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_share_room_and_small_ones_need_none() {
        let large = || request(Body::from(vec![b' '; 1 << 20]));
        let mut held = Vec::new();
        let error = loop {
            match JsonText::read(large()).await {
                Ok(text) => held.push(text),
                Err(error) => break error,
            }
        };
        assert_eq!((held.len(), status(error)), (16, 503));
        JsonText::read(request(Body::from("{}"))).await.expect("is small");
        let pieces = stream::iter((0..16).map(|_| Ok::<_, std::io::Error>("x".repeat(1000))));
        JsonText::read(request(Body::from_stream(pieces))).await.expect("is small, whatever it might become");
        held.pop();
        JsonText::read(large()).await.expect("there is room again");
    }

    #[tokio::test]
    async fn bodies_end_at_the_limit_of_their_route() {
        let error = JsonText::read(request(Body::from(vec![b' '; 3 << 20]))).await.expect_err("is too large");
        assert_eq!(status(error), 413);
    }

    #[tokio::test]
    async fn many_values_are_refused_before_they_are_made() {
        let text = async |body: String| JsonText::read(request(Body::from(body))).await.expect("is read");
        let many = text(format!("[{}0]", "0,".repeat(MAX_VALUES))).await;
        assert_eq!(status(many.bytes().expect_err("are too many")), 400);
        let deep = text("[".repeat(MAX_VALUES + 1)).await;
        assert!(deep.bytes().is_err());
        let quoted = text(format!("[\"{}\\\"{}\"]", ",".repeat(MAX_VALUES), "[".repeat(MAX_VALUES))).await;
        assert!(quoted.bytes().is_ok());
    }
}
