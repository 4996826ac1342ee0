//! Why an archive is not unpacked.

use std::io;

use super::guarded::{End, OverLimit, over_limit};
use super::limits::MAX_HEADER;

/// Why an archive is not unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// It cannot be read.
    #[error("it is not a tar archive compressed by gzip, or damaged")]
    Damaged(#[source] io::Error),
    /// It ends too early.
    #[error("it is cut off")]
    CutOff,
    /// More would come out of it than may.
    #[error("it is larger than {limit} bytes unpacked")]
    TooLarge {
        /// What may come out, in bytes.
        limit: u64,
    },
    /// It has more entries than it may.
    #[error("it has more than {limit} files and folders")]
    TooMany {
        /// How many it may have.
        limit: usize,
    },
    /// What stands before an entry is longer than any path and notes.
    #[error("an entry has more than {MAX_HEADER} bytes of headers")]
    LongHeader,
    /// A path leads out of it, or is none.
    #[error("{path}: the path is not plain text that stays inside the archive")]
    Path {
        /// The path, as far as it can be shown.
        path: String,
    },
    /// An entry is neither a file nor a folder.
    #[error("{path}: {kind} are not allowed; an archive holds files and folders")]
    Kind {
        /// Where it is in the archive.
        path: String,
        /// What it is, in the plural.
        kind: &'static str,
    },
    /// Two entries are the same file.
    #[error("{path}: it is in the archive twice")]
    Twice {
        /// Where it is in the archive.
        path: String,
    },
    /// The folder cannot take it.
    #[error("cannot write what is in it")]
    Write(#[source] io::Error),
}

/// What it means that an archive of which `limit` bytes may come out cannot be read on.
pub(super) fn read_error(error: io::Error, limit: u64, end: &End) -> ArchiveError {
    match (error.get_ref().and_then(|inner| over_limit(inner)), error.kind()) {
        (Some(OverLimit::Size), _) => ArchiveError::TooLarge { limit },
        (Some(OverLimit::Header), _) => ArchiveError::LongHeader,
        (None, io::ErrorKind::UnexpectedEof) => ArchiveError::CutOff,
        (None, _) if end.is_reached.get() => ArchiveError::CutOff,
        (None, _) => ArchiveError::Damaged(error),
    }
}
