//! Takes a body apart and puts the source into a file. It writes, so it runs on a thread of its own.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::base64_decoder::{Base64Decoder, NotBase64};
use super::error::UploadError;
use super::places::MemoryPlace;
use super::source_file::SourceFile;
use super::splitter::Splitter;

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

#[derive(Debug)]
pub(super) struct Receiver {
    folder: PathBuf,
    splitter: Splitter,
    source: Source,
}

#[derive(Debug)]
enum Source {
    None,
    Coming {
        decoder: Base64Decoder,
        file: File,
        size: u64,
    },
    /// What has come of it is not kept.
    NotBase64,
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

impl Receiver {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, splitter: Splitter::default(), source: Source::None }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        let mut text = Vec::new();
        if self.splitter.push(bytes, &mut text)? {
            self.add(&text).map_err(|source| UploadError::Write { folder: self.folder.clone(), source })?;
        }
        Ok(())
    }

    pub(super) const fn rest_size(&self) -> usize {
        self.splitter.rest_size()
    }

    pub(super) fn finish(self) -> Upload {
        let (source, is_base64) = match self.source {
            Source::None => (None, true),
            Source::Coming { decoder, file, size } => {
                let is_whole = decoder.finish() == Ok(());
                (is_whole.then(|| SourceFile::new(file, size)), is_whole)
            }
            Source::NotBase64 => (None, false),
        };
        Upload { rest: self.splitter.into_rest(), source, is_base64, memory: None }
    }

    fn add(&mut self, text: &[u8]) -> io::Result<()> {
        if matches!(self.source, Source::None) {
            let file = tempfile::tempfile_in(&self.folder)?;
            self.source = Source::Coming { decoder: Base64Decoder::default(), file, size: 0 };
        }
        let Source::Coming { decoder, file, size } = &mut self.source else { return Ok(()) };
        let mut bytes = Vec::with_capacity(text.len());
        if decoder.push(text, &mut bytes) == Err(NotBase64) {
            self.source = Source::NotBase64;
            return Ok(());
        }
        *size += bytes.len() as u64;
        file.write_all(&bytes)
    }
}
