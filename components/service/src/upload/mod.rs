//! Requests with the source of a job in them, taken without holding that source in memory.
//!
//! Such a request is JSON whose one large part is `build_context`: the source, in base64. It goes into a file without a name as it comes,
//! decoded. Everything else is small, and is all that is parsed. Room for both is taken before anything is read, so
//! that many requests at once wait or are refused instead of filling memory and disk.

mod base64_decoder;
mod places;
mod receiver;
mod source_file;
mod splitter;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{BodyDataStream, HttpBody};
use axum::extract::Request;
use axum::http::StatusCode;
use futures_util::StreamExt;

use crate::{ApiError, StalledBody};

use places::Places;
pub use places::{MemoryPlace, UploadLimits};
use receiver::Receiver;
pub use source_file::SourceFile;
pub use splitter::RestError;

/// How much of a body is gathered before a thread takes it apart, in bytes.
const BATCH: usize = 256 << 10;

/// When a request that found no room may come again.
const AGAIN_IN: Duration = Duration::from_secs(30);

/// Takes requests with sources of jobs. Clones share the room for them.
#[derive(Clone, Debug)]
pub struct Uploads(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    places: Places,
}

/// A request, taken apart.
#[derive(Debug)]
pub struct Upload {
    /// The JSON, in which `build_context` is an empty text where it was a text.
    pub rest: Vec<u8>,
    /// The source that came with it.
    pub source: Option<SourceFile>,
    /// Whether the source is base64, or there is none.
    pub is_base64: bool,
    /// To be kept for as long as what was made of `rest` is.
    pub memory: Option<MemoryPlace>,
}

/// Why a request is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// It is larger than one may be.
    #[error(
        "the request is larger than {limit} bytes: leave files out that the job does not need (.dockerignore, .gitignore), fetch the source \
         from git, or have max-request-size raised"
    )]
    TooLarge {
        /// How large one may be, in bytes.
        limit: u64,
    },
    /// What is beside the source is too much.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// There is no room on disk.
    #[error(
        "too many jobs are being deployed at once: the {limit} bytes for sources that are not built yet are taken, and none \
         got free for {} s; try again later, or have max-uploads-size raised", wait.as_secs()
    )]
    DiskFull {
        /// The room for all of them, in bytes.
        limit: u64,
        /// How long room was waited for.
        wait: Duration,
    },
    /// There is no room in memory.
    #[error(
        "too many jobs are being deployed at once: the {limit} bytes of memory for their manifests and variables are taken, \
         and none got free for {} s; try again later", wait.as_secs()
    )]
    MemoryFull {
        /// The room for all of them, in bytes.
        limit: u64,
        /// How long room was waited for.
        wait: Duration,
    },
    /// The body does not come.
    #[error("the body of the request cannot be read")]
    Body(#[source] axum::Error),
    /// The folder cannot take it.
    #[error("cannot keep the source of the job in {}", folder.display())]
    Write {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread that took it apart has ended.
    #[error("a request could not be taken apart")]
    Thread(#[source] tokio::task::JoinError),
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

impl Upload {
    /// The same for a body that is there, without limits of room.
    ///
    /// # Errors
    /// [`UploadError`]
    pub fn of_bytes(body: &[u8], folder: &Path) -> Result<Self, UploadError> {
        let mut receiver = Receiver::new(folder.to_owned());
        receiver.push(body)?;
        Ok(receiver.finish())
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

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "ValueError", error.to_string())
            }
            UploadError::DiskFull { .. } | UploadError::MemoryFull { .. } => {
                let refused = Self::new(StatusCode::SERVICE_UNAVAILABLE, "TooManyUploads", error.to_string());
                refused.retry_after(AGAIN_IN)
            }
            UploadError::Body(source) if StalledBody::is_cause_of(&source) => {
                Self::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", StalledBody.to_string())
            }
            UploadError::Write { source, .. } if is_full(&source) => {
                let message = format!("cannot keep the source of the job: {source}");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "InsufficientStorage", message)
                    .retry_after(AGAIN_IN)
            }
            UploadError::Rest(_) | UploadError::Body(_) => Self::invalid(error.to_string()),
            UploadError::Write { .. } | UploadError::Thread(_) => Self::internal(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::response::IntoResponse;
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use futures_util::stream;
    use std::io::Read;

    use super::*;

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
