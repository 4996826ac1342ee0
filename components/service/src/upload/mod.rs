//! Requests with the source of a job in them, taken without holding that source in memory.
//!
//! Such a request is JSON whose one large part is `build_context`: the source, in base64. It goes into a file without a name as it comes,
//! decoded. Everything else is small, and is all that is parsed. Room for both is taken before anything is read, so
//! that many requests at once wait or are refused instead of filling memory and disk.

mod base64_decoder;
mod error;
mod places;
mod receiver;
mod source_file;
mod splitter;

use std::path::PathBuf;
use std::sync::Arc;

use axum::body::{BodyDataStream, HttpBody};
use axum::extract::Request;
use futures_util::StreamExt;

pub use self::error::UploadError;
use self::places::Places;
pub use self::places::{MemoryPlace, UploadLimits};
use self::receiver::Receiver;
pub use self::receiver::Upload;
pub use self::source_file::SourceFile;
pub use self::splitter::RestError;

/// How much of a body is gathered before a thread takes it apart, in bytes.
const BATCH: usize = 256 << 10;

/// Takes requests with sources of jobs. Clones share the room for them.
#[derive(Clone, Debug)]
pub struct Uploads(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    places: Places,
}

impl Uploads {
    /// Takes requests whose sources are kept in `folder` until they are used. It has to be there when a request comes.
    pub fn new(folder: PathBuf, limits: UploadLimits) -> Self {
        Self(Arc::new(Inner { folder, places: Places::new(limits) }))
    }

    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`UploadError`]; before anything is read when there is no room.
    pub async fn receive(&self, request: Request) -> Result<Upload, UploadError> {
        let Inner { folder, places } = &*self.0;
        let body = request.into_body();
        let declared = body.size_hint().exact();
        let mut place = places.enter(declared).await?;
        let mut receiver = Receiver::new(folder.clone());
        let mut batches = Batches { body: body.into_data_stream(), left: places.limits().request };
        while let Some(batch) = batches.next(places.limits().request).await? {
            let pushed = tokio::task::spawn_blocking(move || receiver.push(&batch).map(|()| receiver));
            receiver = pushed.await.map_err(UploadError::Thread)??;
            places.grow(&mut place, receiver.rest_size()).await?;
        }
        let upload = receiver.finish();
        let (memory, disk) =
            place.shrink_to(upload.rest.len(), upload.source.as_ref().map_or(0, SourceFile::size));
        let source = upload.source.map(|source| source.with_place(disk));
        Ok(Upload { memory: Some(memory), source, ..upload })
    }
}

/// A body in pieces that are worth a thread.
struct Batches {
    body: BodyDataStream,
    left: u64,
}

impl Batches {
    async fn next(&mut self, limit: u64) -> Result<Option<Vec<u8>>, UploadError> {
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(bytes) = self.body.next().await
        {
            let bytes = bytes.map_err(UploadError::Body)?;
            let left = self.left.checked_sub(bytes.len() as u64);
            self.left = left.ok_or(UploadError::TooLarge { limit })?;
            batch.extend_from_slice(&bytes);
        }
        Ok((!batch.is_empty()).then_some(batch))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::response::IntoResponse;
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use futures_util::stream;
    use std::io::{self, Read};
    use std::time::Duration;

    use super::*;
    use crate::ApiError;

    const LIMITS: UploadLimits =
        UploadLimits { request: 1 << 20, all: 2 << 20, wait: Duration::from_secs(1) };

    fn uploads() -> (tempfile::TempDir, Uploads) {
        let folder = tempfile::tempdir().expect("can be made");
        let uploads = Uploads::new(folder.path().to_owned(), LIMITS);
        (folder, uploads)
    }

    fn body(source: &[u8]) -> Vec<u8> {
        format!("{{\"build_context\":\"{}\",\"x\":1}}", BASE64_STANDARD.encode(source)).into_bytes()
    }

    /// A body whose length is not known.
    fn chunked(body: &[u8]) -> Request {
        let chunks: Vec<_> = body.chunks(1000).map(<[u8]>::to_vec).collect();
        let chunks = stream::iter(chunks.into_iter().map(Ok::<_, io::Error>));
        Request::new(Body::from_stream(chunks))
    }

    fn content(source: &SourceFile) -> Vec<u8> {
        let mut content = Vec::new();
        source.reader().read_to_end(&mut content).expect("can be read");
        content
    }

    fn status(error: UploadError) -> u16 {
        ApiError::from(error).into_response().status().as_u16()
    }

    #[tokio::test]
    async fn a_source_goes_into_a_file() {
        let (folder, uploads) = uploads();
        let source: Vec<u8> = (0..700_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        for request in [chunked(&body(&source)), Request::new(Body::from(body(&source)))] {
            let upload = uploads.receive(request).await.expect("fits");
            assert_eq!(upload.rest, b"{\"build_context\":\"\",\"x\":1}");
            assert_eq!(content(&upload.source.expect("is there")), source);
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("is there").count(), 0, "files have no names");
    }

    #[tokio::test]
    async fn what_is_too_large_is_refused() {
        let (_folder, uploads) = uploads();
        let large = body(&vec![0; 1 << 20]);
        for request in [chunked(&large), Request::new(Body::from(large))] {
            let error = uploads.receive(request).await.expect_err("is too large");
            assert!(matches!(error, UploadError::TooLarge { limit: 1_048_576 }), "{error}");
            assert_eq!(status(error), 413);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn room_is_taken_before_anything_is_read_and_given_back() {
        let (_folder, uploads) = uploads();
        let mut held = Vec::new();
        for _ in 0..2 {
            // Of unknown length: each may become as large as one may be.
            let never = stream::pending::<Result<Vec<u8>, io::Error>>();
            let request = Request::new(Body::from_stream(never));
            let waiting = Box::pin({
                let uploads = uploads.clone();
                async move { uploads.receive(request).await }
            });
            held.push(tokio::spawn(waiting));
        }
        tokio::task::yield_now().await;
        let error = uploads.receive(chunked(&body(b"x"))).await.expect_err("there is no room").to_string();
        assert!(error.contains("max-uploads-size"), "{error}");
        held.pop().expect("is there").abort();
        tokio::task::yield_now().await;
        let first = uploads.receive(chunked(&body(b"x"))).await.expect("there is room");
        let second =
            uploads.receive(Request::new(Body::from(body(b"x")))).await.expect("most was given back");
        drop((first, second));
        held.pop().expect("is there").abort();
    }

    #[tokio::test(start_paused = true)]
    async fn small_parts_share_a_limit_of_memory() {
        let (_folder, uploads) = uploads();
        let large = format!("{{\"manifest\":\"{}\"}}", "x".repeat(1_000_000));
        let mut held = Vec::new();
        let error = loop {
            match uploads.receive(Request::new(Body::from(large.clone()))).await {
                Ok(upload) => held.push(upload),
                Err(error) => break error,
            }
            assert!(held.len() < 1000, "nothing limits them");
        };
        assert!(matches!(error, UploadError::MemoryFull { .. }), "{error}");
        let (status, _) = (status(error), held.pop());
        assert_eq!(status, 503);
        uploads.receive(Request::new(Body::from(large))).await.expect("there is room again");
    }
}
