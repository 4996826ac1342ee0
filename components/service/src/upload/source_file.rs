//! The source of a job in a file without a name, which is gone when nobody holds it.

use std::fs::File;
use std::io::{self, Read};

use axum::body::{Body, Bytes};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::stream;
use tokio::sync::OwnedSemaphorePermit;

/// How much is read at a time to be sent, in bytes: whole groups of base64.
const PIECE: usize = 3 << 16;

/// The source of a job, as it was uploaded: an archive.
#[derive(Debug)]
pub struct SourceFile {
    file: File,
    size: u64,
    #[expect(dead_code, reason = "is there to be dropped")]
    place: Option<OwnedSemaphorePermit>,
}

/// Reads a source from its beginning.
#[derive(Debug)]
pub struct SourceReader<'a> {
    source: &'a SourceFile,
    position: u64,
}

impl SourceFile {
    pub(super) const fn new(file: File, size: u64) -> Self {
        Self { file, size, place: None }
    }

    pub(super) fn with_place(self, place: OwnedSemaphorePermit) -> Self {
        Self { place: Some(place), ..self }
    }

    /// How large it is, in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Reads it from its beginning. Several may read at once. Reading blocks the thread.
    pub const fn reader(&self) -> SourceReader<'_> {
        SourceReader { source: self, position: 0 }
    }

    /// The text between `head` and `tail` that this is in base64, as a body, with its length. The file is gone when that is sent.
    pub fn into_base64_body(self, head: Vec<u8>, tail: Vec<u8>) -> (Body, u64) {
        let length = head.len() as u64 + self.size.div_ceil(3) * 4 + tail.len() as u64;
        let pieces = stream::try_unfold(
            (self, 0, Some(head), Some(tail)),
            |(source, position, head, tail)| async move {
                if let Some(head) = head {
                    return Ok(Some((Bytes::from(head), (source, position, None, tail))));
                }
                if position >= source.size {
                    return Ok(tail.map(|tail| (Bytes::from(tail), (source, position, None, None))));
                }
                let read = tokio::task::spawn_blocking(move || {
                    let (mut piece, mut reader) = (Vec::new(), SourceReader { source: &source, position });
                    reader.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
                    let position = reader.position;
                    if piece.is_empty() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    Ok::<_, io::Error>((
                        Bytes::from(BASE64_STANDARD.encode(&piece)),
                        (source, position, None, tail),
                    ))
                });
                read.await.map_err(io::Error::other)?.map(Some)
            },
        );
        (Body::from_stream(pieces), length)
    }
}

impl Read for SourceReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = std::os::unix::fs::FileExt::read_at(&self.source.file, buffer, self.position)?;
        self.position += length as u64;
        Ok(length)
    }
}
